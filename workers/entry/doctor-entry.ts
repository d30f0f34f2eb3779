// Entry file of `npm run doctor`, a child process of the coordinator. Usage: node doctor-entry.js PHYSICAL_CORES [--json]
// Exit code 0 when training can start on the backend that `auto` takes, else 1.

import { locateKernels } from '../engines/kernels/library.ts';
import { locateLibrary } from '../engines/tensorflow/library.ts';
import { type DoctorReport, examine } from '../setup/doctor.ts';

const report = await examine(locateLibrary(), locateKernels(), Number(process.argv[2]));
process.stdout.write(`${process.argv.includes('--json') ? JSON.stringify(report) : toTable(report)}\n`);
process.exitCode = report.auto.runs ? 0 : 1;

function toTable(report: DoctorReport): string {
  const { convolution } = report;
  const rows: [string, string][] = [
    ['node', report.node],
    ['platform', report.platform],
    ['processor', `${report.cpu}, ${report.physicalCores} cores, ${report.logicalCores} logical`],
    ['memory', `${(report.memoryBytes / 1e9).toFixed(1)} GB`],
    ['cache', report.cacheFolder],
    ['library', `${report.libraryReady ? 'ready' : 'missing'}, ${report.libraryFolder}`],
    ['tensorflow', report.tensorflow ?? '-'],
    ['device', report.device ?? '-'],
    ['convolution', convolution === null ? '-' : toConvolutionText(convolution)],
    ['kernels', [report.kernels ?? [], report.kernelsDetail].flat().join(', ')],
    ['python', report.python ?? 'missing'],
    ['pip', report.pip ?? 'missing'],
    ['g++', report.gxx ?? 'missing'],
    ...report.problems.map((problem): [string, string] => ['problem', problem]),
    ...report.backends.map(({ backend, runs, detail }): [string, string] => [
      backend,
      `${runs ? 'runs' : 'does not run'}: ${detail}`,
    ]),
    ['auto', [report.auto.backend, report.auto.note ?? []].flat().join(': ')],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)}${value}`).join('\n');
}

function toConvolutionText({ ok, milliseconds, gflops }: NonNullable<DoctorReport['convolution']>): string {
  return `${ok ? 'correct' : 'WRONG'}, ${milliseconds.toFixed(1)} ms, ${gflops.toFixed(0)} GFLOP/s on one thread`;
}
