// docs/run-folder.md against what the code writes. The files of a run and its summary: test/integration/outputs.test.ts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toDataset } from '../../../coordinator/data/dataset.ts';
import { JsonLines } from '../../../coordinator/files/json-lines.ts';
import { ownerHere } from '../../../coordinator/files/lock-owner.ts';
import {
  EVALUATION_TAGS,
  REAL_TAG,
  SAMPLES_TAG,
  TAGS,
} from '../../../coordinator/monitoring/tensorboard/tensorboard-log.ts';
import { RunRecords } from '../../../coordinator/run/run-records.ts';
import { describeEnvironment } from '../../../coordinator/run-folder/environment.ts';
import { EventLog } from '../../../coordinator/run-folder/events.ts';
import { toRunConfig } from '../../../coordinator/run-folder/run-config.ts';
import { createRunFolder } from '../../../coordinator/run-folder/run-folder.ts';
import { mergeSettings } from '../../../coordinator/settings/settings.ts';
import { EVENT_KINDS } from '../../../shared/live-protocol.ts';
import { endedEvent, startedEvent, stragglerEvent } from '../coordinator/made-up-events.ts';
import { madeUpRecord } from '../coordinator/made-up-record.ts';
import { madeUpState } from '../coordinator/made-up-state.ts';
import { scratchFolder } from '../scratch.ts';
import { type Row, rowsFor, tableOf } from './markdown-tables.ts';

const DOCUMENT = 'docs/run-folder.md';
const dataset = toDataset('two digits', new Uint8Array(2 * 784), Uint8Array.of(3, 4), [28, 28, 1]);
const config = toRunConfig(mergeSettings({ steps: 9 }), dataset);
const ENVIRONMENT = describeEnvironment({ engine: 'tensorflow-cpu', libraryVersion: '2.21.0' });

/** What a JSON value is called in the tables. */
function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

/** Field and type of every value in these objects; an integer may stand where a number is written. */
function fieldsOf(objects: readonly object[], documented: readonly Row[], name = 'field') {
  const types = new Map(documented.map((row) => [row[name], row.type]));
  const fields = new Map<string, string>();
  for (const [field, value] of objects.flatMap((object) => Object.entries(object))) {
    const type = typeOf(value);
    fields.set(field, type === 'integer' && types.get(field) === 'number' ? 'number' : type);
  }
  return [...fields].toSorted();
}

const rowsOf = (table: readonly Row[], name = 'field') => table.map((row) => [row[name], row.type]).toSorted();
const linesOf = (path: string): object[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe(DOCUMENT, () => {
  it('has every field of metrics.jsonl and no other', async () => {
    const folder = createRunFolder(join(scratchFolder(), 'run'));
    const log = await JsonLines.open(folder.metrics);
    const records = new RunRecords({
      config,
      folder,
      log,
      writer: { check() {}, save: async () => {}, settle: async () => undefined },
      state: madeUpState(0),
      totalSteps: 9,
      stepsPerEpoch: 100,
      sample: async () => new Float32Array(),
    });
    const record = madeUpRecord(1);
    const bad = [{ shard: { step: 1, pass: 'generator', shard: 2 } as const, replicas: [0, 1], what: 'x is NaN' }];
    await records.commit(record);
    await records.commit({ ...record, step: 2, generator: { ...record.generator, skipped: true, bad } });
    log.close();
    const table = tableOf(DOCUMENT, 'field', 0);
    expect(rowsOf(table)).toEqual(fieldsOf(linesOf(folder.metrics), table));
  });

  it('has every field and kind of events.jsonl and no other', async () => {
    const folder = createRunFolder(join(scratchFolder(), 'run'));
    const log = new EventLog({ step: 0, onFailure: (message) => expect.fail(message) });
    await log.open(folder.events);
    log.observe({ ...startedEvent(), environment: ENVIRONMENT });
    log.observe({ kind: 'more', of: 'straggler', count: 2, parts: [], newest: stragglerEvent() });
    log.observe(endedEvent(9));
    log.close();
    const table = tableOf(DOCUMENT, 'field', 1);
    expect(rowsOf(table)).toEqual(fieldsOf(linesOf(folder.events), table));
    expect(tableOf(DOCUMENT, 'kind').map(({ kind }) => kind)).toEqual([...EVENT_KINDS]);
  });

  it('has all of the environment and no more', () => {
    const table = rowsFor(tableOf(DOCUMENT, 'of `environment`'), 'of `environment`', Object.keys(ENVIRONMENT));
    expect(rowsOf(table, 'of `environment`')).toEqual(fieldsOf([ENVIRONMENT], table, 'of `environment`'));
  });

  it('has every field of lock.json and no other', () => {
    expect(tableOf(DOCUMENT, 'field', 3).map(({ field }) => field)).toEqual(Object.keys(ownerHere(1)));
  });

  it('has every tag of TensorBoard', () => {
    const tags = [...Object.values(TAGS), ...Object.values(EVALUATION_TAGS), SAMPLES_TAG, REAL_TAG];
    expect(tableOf(DOCUMENT, 'tag').map(({ tag }) => tag)).toEqual(tags);
  });
});
