// Entry file of the judge's thread, a worker of Piscina: draws images with a copy of a generator, and gives their figures. What it loads for
// the first evaluation it keeps for the next.
import { getPriority, setPriority } from 'node:os';
import { toCacheFolder } from '../../shared/cache-folder.ts';
import { showDevices } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import type { JudgeJob, JudgeOutcome } from '../../shared/evaluation.ts';
import { layoutOf } from '../../shared/model/layout.ts';
import { parameterInputs } from '../../shared/model/net-inputs.ts';
import { imageSizeOf } from '../../shared/model/spec.ts';
import { toBytePixels } from '../../shared/pixels.ts';
import { loadRunner } from '../engines/engines.ts';
import { loadKernels } from '../engines/kernels/binding.ts';
import type { ProgramRunner } from '../engines/program-runner.ts';
import { ProgramSampler } from '../engines/program-sampler.ts';
import { Classifier } from '../judge/classifier.ts';
import { toFigures, toNearest } from '../judge/judge.ts';
import type { PatchKernel } from '../judge/patches.ts';
import { cachedReference, type Reference } from '../judge/reference.ts';

/**
 * On Linux a thread has a priority of its own: beside a training that of a replica. With less it would starve on a busy machine, and the
 * checkpoints with it, which wait for evaluations.
 */
const YIELDING = Math.min(19, getPriority() + 10);

let classifier: Classifier | undefined;
let runner: { readonly device: string; readonly loaded: ProgramRunner } | undefined;
let known: { readonly key: string; readonly reference: Reference } | undefined;

export default async function runJudgeJob(job: JudgeJob): Promise<JudgeOutcome> {
  try {
    if (job.yields && process.platform === 'linux') setPriority(YIELDING);
    classifier ??= new Classifier(compiledPatches());
    const { real, count } = job;
    const key = `${real.key} ${count}`;
    if (known?.key !== key) known = { key, reference: cachedReference(classifier, real, count, toCacheFolder()) };
    const images = await draw(job);
    const figures = toFigures(classifier, images, real.shape, known.reference);
    return { ok: true, figures: job.nearest ? { ...figures, nearest: toNearest(images, real) } : figures };
  } catch (error) {
    if (error instanceof GanglionError) return { ok: false, error: error.toPlain() };
    throw error;
  }
}

/** Compiled code for the classifier where the kernels can be loaded; the bits are those of the JavaScript, whatever trains. */
function compiledPatches(): PatchKernel | undefined {
  try {
    return loadKernels()?.binding.convolvePatches;
  } catch {
    return undefined; // training has said so, or does without
  }
}

/** Images as bytes, as real ones are. */
async function draw(job: JudgeJob): Promise<Uint8Array[]> {
  const { backend, gpu, spec, parameters, statistics, seed, count } = job;
  const device = showDevices([job]);
  if (runner?.device !== device) runner = { device, loaded: await loadRunner(backend, gpu) };
  const layout = layoutOf('generator', spec);
  const sampler = new ProgramSampler(runner.loaded, layout, spec);
  try {
    const drawn = await sampler.draw({ seed, count, statistics }, parameterInputs(layout, parameters));
    const bytes = toBytePixels(drawn);
    const size = imageSizeOf(spec);
    return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
  } finally {
    sampler.dispose();
  }
}
