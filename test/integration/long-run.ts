// A run of many steps that was never trained: its log is made up.
import { writeFileSync } from 'node:fs';
import { toDataset } from '../../coordinator/data/dataset.ts';
import { toRunConfig } from '../../coordinator/run-folder/run-config.ts';
import { createRunFolder, type RunFolder, writeJson } from '../../coordinator/run-folder/run-folder.ts';
import { mergeSettings } from '../../coordinator/settings/settings.ts';

/** @param peak a step that stands out: the loss of D on real images is 50 */
export function writeLongRun(path: string, steps: number, peak: number): RunFolder {
  const folder = createRunFolder(path);
  const dataset = toDataset('two digits', new Uint8Array(2 * 784), Uint8Array.of(3, 4), [28, 28, 1]);
  writeJson(folder.config, { ...toRunConfig(mergeSettings({ steps }), dataset), chosenBackend: 'cpu' });
  let state = 1;
  const noise = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const lines = Array.from({ length: steps }, (_, i) =>
    JSON.stringify({
      step: i + 1,
      epoch: Math.floor(i / 468),
      lossDReal: i + 1 === peak ? 50 : noise(),
      lossDFake: 0,
      lossG: 1 + noise(),
      outputReal: noise(),
      outputFake: noise(),
      gradientNormD: noise(),
      gradientNormG: noise(),
      seconds: 0.04,
      imagesPerSecond: 3000 + noise(),
    }),
  );
  writeFileSync(folder.metrics, `${lines.join('\n')}\n`);
  return folder;
}
