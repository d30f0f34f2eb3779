// Entry file of `ganglion doctor`, a child process of the coordinator. Usage: node doctor-entry.js PHYSICAL_CORES BACKEND [--json]
// Exit code 0 when training can start on the backend that it takes, else 1.

import { BACKENDS } from '../../shared/backend.ts';
import { printJson, printLine } from '../../shared/print.ts';
import { leaveSignals, SIGNALS_TO_LEAVE } from '../../shared/stop-signals.ts';
import { locateKernels } from '../engines/kernels/library.ts';
import { locateLibrary } from '../engines/tensorflow/library.ts';
import { type DoctorReport, examine } from '../setup/doctor.ts';

leaveSignals(SIGNALS_TO_LEAVE);
const [, , physicalCores, name] = process.argv;
const setting = BACKENDS.find((backend) => backend === name) ?? 'auto';
const report = await examine(setting, locateKernels(), locateLibrary(), Number(physicalCores));
if (process.argv.includes('--json')) printJson(process.stdout, report);
else for (const line of toLines(report)) printLine(process.stdout, line);
process.exitCode = report.auto.runs ? 0 : 1;

function toLines(report: DoctorReport): string[] {
  const { convolution } = report;
  const rows: [string, string][] = [
    ['node', report.node],
    ['platform', report.platform],
    ['processor', `${report.cpu}, ${report.physicalCores} cores, ${report.logicalCores} logical`],
    ['memory', `${(report.memoryBytes / 1e9).toFixed(1)} GB`],
    ['cache', report.cacheFolder],
    ['g++', report.gxx ?? 'missing'],
    ['kernels', [report.kernels ?? [], report.kernelsDetail].flat().join(', ')],
    ...(report.tensorflowReady
      ? ([
          ['TensorFlow', toTensorflowText(report)],
          ['convolution', convolution === null ? '-' : toConvolutionText(convolution)],
        ] satisfies [string, string][])
      : []),
    ['MPI', report.mpi ?? 'none; to train on several machines: ganglion setup --mpi'],
    ...report.backends.map(({ backend, runs, detail }): [string, string] => [
      backend,
      `${runs ? 'runs' : 'does not run'}: ${detail}`,
    ]),
    ['training', toTrainingText(report.auto)],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)}${value}`);
}

function toTrainingText({ backend, note, computing, runs }: DoctorReport['auto']): string {
  if (!runs) return `cannot start: ${note}`;
  return [`runs on ${backend}`, computing ?? [], note ?? []].flat().join(': ');
}

function toTensorflowText({ tensorflow, tensorflowVariant, tensorflowFolder }: DoctorReport): string {
  const kind = tensorflowVariant === 'gpu' ? 'for GPUs' : 'for the CPU';
  return `${tensorflow ?? 'does not load'}, ${kind}, ${tensorflowFolder}`;
}

function toConvolutionText({ ok, milliseconds, gflops }: NonNullable<DoctorReport['convolution']>): string {
  return `${ok ? 'correct' : 'WRONG'}, ${milliseconds.toFixed(1)} ms, ${gflops.toFixed(0)} GFLOP/s on one thread`;
}
