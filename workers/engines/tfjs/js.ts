// The backend of tfjs in plain JavaScript: slow, to check the others with.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';

/** Makes plain JavaScript the backend of tfjs in this thread. */
export async function loadJs(): Promise<void> {
  await tf.setBackend('cpu');
}
