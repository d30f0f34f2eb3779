// TensorFlow in tests: where it is set up, which `npm test` does where python3 is.
import { locateLibrary } from '../../../../../workers/engines/tensorflow/library.ts';
import { isTensorflowReady } from '../../../../../workers/setup/install-tensorflow.ts';

export const hasTensorflow = isTensorflowReady(locateLibrary()) || Boolean(process.env.CI);

/** What needs TensorFlow, or nothing where it is not set up, and then says so; in CI it must be there. */
export function withTensorflow<const Item>(...items: Item[]): Item[] {
  if (hasTensorflow) return items;
  console.warn(`skipped: ${JSON.stringify(items)}, as TensorFlow is not set up (npm run setup -- --tensorflow)`);
  return [];
}
