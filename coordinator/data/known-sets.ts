// Sets that are known by their content, so that a run says what it trains on. SHA-256 of the pixels: computed from MNIST's own files. MD5 of
// the compressed files: those by which torchvision checks its downloads (torchvision/datasets/mnist.py). SHA-256 of EMNIST's, as they lie in
// its gzip.zip: those of github.com/notwa/mnists (mnists/hashes.py).

/** Names by a dataset's identity: the same by every road, such as a folder of PNG files. */
const BY_IDENTITY: ReadonlyMap<string, string> = new Map([
  ['edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b', 'MNIST (60,000 training images)'],
  ['6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161', 'MNIST (10,000 test images)'],
]);

/** Names by the MD5 or SHA-256 of the file that was read. */
const BY_FILE: ReadonlyMap<string, string> = new Map([
  ['8d4fb7e6c68d591d4c3dfef9ec88bf0d', 'Fashion-MNIST (60,000 training images)'],
  ['bef4ecab320f06d8554ea6380940ec79', 'Fashion-MNIST (10,000 test images)'],
  ['bdb82020997e1d708af4cf47b453dcf7', 'KMNIST (60,000 training images)'],
  ['5c965bf0a639b31b8f53240b1b52f4d7', 'KMNIST (10,000 test images)'],
  ['ed72d4157d28c017586c42bc6afe6370', 'QMNIST (60,000 training images)'],
  ['1394631089c404de565df7b7aeaf9412', 'QMNIST (60,000 test images)'],
  ['74295e75e4e9fa2c102147460ee7eb763653d5132d883a84fb88932bfb8d2db4', 'EMNIST balanced (112,800 training images)'],
  ['117fc12b015e37ea98bfb2cbba3f77c3782c056cdbd219b87abfc8661d7135db', 'EMNIST balanced (18,800 test images)'],
  ['9e21987f03a6eb8b870187e785883ddad96947299587908f1a7ec2ca0f4be5f0', 'EMNIST by class (697,932 training images)'],
  ['5ec835bd5d5b1a66378a132e727fef20fe994b3cc666899befcca5ac766f50cd', 'EMNIST by class (116,323 test images)'],
  ['39bf8c68037dad40db35348895f7e4e056e8c0a005ab78869c9fbc2c96e947be', 'EMNIST by merge (697,932 training images)'],
  ['5e5815ec1b522089134435f7c55e75a00960b58414793593ffff23efc0821683', 'EMNIST by merge (116,323 test images)'],
  ['f7c95004d14d81af89522e67d8f0c781dfb3bd544181c81bfe1eb6b41c35b726', 'EMNIST digits (240,000 training images)'],
  ['20ebe43509264f7639d37c835a3f0b009e90b29e00a099a03101abe1644a3f63', 'EMNIST digits (40,000 test images)'],
  ['6288f418a917e007bf5fddb823a2dc7a5c6a35031401b93292a539cb12bd881f', 'EMNIST letters (124,800 training images)'],
  ['50f0e93d75b99b463e9760b8345866f22587fa2c2fba472730a5ba09c693412d', 'EMNIST letters (20,800 test images)'],
  ['5f9942f441031c0f1f2e4d162059fd6e19ea808b34c328b6d16cab0ed24c78f2', 'EMNIST MNIST (60,000 training images)'],
  ['b25640fa9e356c618132f5df347c95ef5bae6d9c2596be1de40f7e0ae1c3eac6', 'EMNIST MNIST (10,000 test images)'],
]);

/** Until 0.2 a dataset was identified by pixels and labels together. The two sets of that time keep that hash, so that their runs resume. */
const FORMER: ReadonlyMap<string, string> = new Map([
  [
    '741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757',
    'edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b',
  ],
  [
    '0768d16c5adea568dee18fa5e4e1acb117e9ec2c5d6b1dffe5fc29c1e61c1eca',
    'bc6b63550c8a82f6ecccd9458252069fb030ee802997b8242e71d5146b0cbf0e',
  ],
]);

/** The identity of images, from the SHA-256 of their pixels. */
export function identityOf(pixelsSha256: string): string {
  return FORMER.get(pixelsSha256) ?? pixelsSha256;
}

/** Name of a known set, from its identity or a hash of its file, all in hex. */
export function nameOfKnown(identity: string, fileHashes: readonly string[] = []): string | undefined {
  const named = fileHashes.map((hash) => BY_FILE.get(hash)).find((name) => name !== undefined);
  return BY_IDENTITY.get(identity) ?? named;
}
