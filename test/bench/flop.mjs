// How much a training step computes, from the layers' shapes: products and sums of matrices and convolutions; BatchNorm,
// activations, losses and Adam, some 2 % more, are not counted.

// Multiplications with an addition (MAC) an image, forward. A convolution of stride 2 with a kernel of 4 x 4 has 16 taps a pixel of
// its smaller side, padding included.
/** @param {number} share of those of the convolutions between feature maps */
function flopPerImage(share) {
  /** 100 -> 4x4x128 */
  const G1 = 100 * 4 * 4 * 128;
  /** 4x4x128 -> 8x8x64 -> 16x16x32 -> 28x28x1 (pad 3: 16 x 16 positions) */
  const G = G1 + share * (4 * 4 * 16 * 128 * 64 + 8 * 8 * 16 * 64 * 32) + 16 * 16 * 16 * 32 * 1;
  /** 28x28x1 -> 16x16x16 (pad 3) */
  const D1 = 16 * 16 * 16 * 1 * 16;
  /** 16x16x16 -> 8x8x32 -> 4x4x64 -> 1 */
  const D = D1 + share * (8 * 8 * 16 * 16 * 32 + 4 * 4 * 16 * 32 * 64) + 4 * 4 * 64;

  // A gradient by weights costs as much as the layer forward, and so does one by its input.
  /** D's phase, for a real and a fake image: forward, gradients by weights, and by inputs but D's own; the fake one has to be made. */
  const D_PHASE = 2 * (D + D + (D - D1)) + G;
  /** G's phase: both forward, D by inputs alone, G by weights and by inputs but the noise. */
  const G_PHASE = G + D + D + G + (G - G1);
  return 2 * (D_PHASE + G_PHASE);
}

/** Floating-point operations a step for each real image: 53,411,840. */
export const FLOP_PER_IMAGE = flopPerImage(1);

/** The same where Winograd's minimal filtering takes 9 products in place of 16: 31,391,744. */
export const FLOP_PER_IMAGE_WINOGRAD = flopPerImage(9 / 16);
