// Sets that are known by their content, so that a run says what it trains on. SHA-256 of the pixels: computed from MNIST's own files. MD5 of
// the compressed files: those by which torchvision checks its downloads (torchvision/datasets/mnist.py).

/** Names by a dataset's identity: the same by every road, such as a folder of PNG files. */
const BY_IDENTITY: ReadonlyMap<string, string> = new Map([
  ['edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b', 'MNIST (60,000 training images)'],
  ['6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161', 'MNIST (10,000 test images)'],
]);

/** Names by the MD5 of the file that was read. */
const BY_FILE: ReadonlyMap<string, string> = new Map([
  ['8d4fb7e6c68d591d4c3dfef9ec88bf0d', 'Fashion-MNIST (60,000 training images)'],
  ['bef4ecab320f06d8554ea6380940ec79', 'Fashion-MNIST (10,000 test images)'],
  ['bdb82020997e1d708af4cf47b453dcf7', 'KMNIST (60,000 training images)'],
  ['5c965bf0a639b31b8f53240b1b52f4d7', 'KMNIST (10,000 test images)'],
  ['ed72d4157d28c017586c42bc6afe6370', 'QMNIST (60,000 training images)'],
  ['1394631089c404de565df7b7aeaf9412', 'QMNIST (60,000 test images)'],
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

/** Name of a known set, from its identity or the MD5 of its file, both in hex. */
export function nameOfKnown(identity: string, fileMd5?: string): string | undefined {
  return BY_IDENTITY.get(identity) ?? BY_FILE.get(fileMd5 ?? '');
}
