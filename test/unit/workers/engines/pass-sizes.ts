// Sizes of the passes by the defaults of `train`, counted by hand: what the tests of native calls are held to.

/** The defaults of `train`: a batch of 128 in 4 shards. */
export const SHARDS = 4;
export const SHARD_SIZE = 32;
export const LATENT = 100;
/** D's and G's parameters: conv 256 + 16, 8192 + 32, norm 2 * 32, 32768 + 64, norm 2 * 64, 1024 + 1; the generator likewise. */
export const D = 256 + 16 + 8192 + 32 + 2 * 32 + 32768 + 64 + 2 * 64 + 1024 + 1;
export const G = 204800 + 2 * 128 + 131072 + 2 * 64 + 32768 + 2 * 32 + 512;
/** D's gradient, without that of the two biases that a BatchNorm cancels. */
export const D_GRADIENT = D - 32 - 64;
/** Mean and variance of D's two BatchNorm layers, and of G's three. */
export const D_STATISTICS = 2 * (32 + 64);
export const G_STATISTICS = 2 * (128 + 64 + 32);
export const FLOAT = Float32Array.BYTES_PER_ELEMENT;
