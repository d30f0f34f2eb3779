// Entry file of probe.ts: tries one backend and prints a BackendReport as JSON. Usage: node probe-entry.js BACKEND
import { BACKENDS } from '../../shared/backend.ts';
import { printJson } from '../../shared/print.ts';
import { probeHere } from '../setup/probe.ts';

const backend = BACKENDS.find((name) => name === process.argv[2]);
if (!backend) throw new Error(`expected one of ${BACKENDS.join(', ')}, got ${process.argv[2]}`);
printJson(process.stdout, await probeHere(backend));
