// What a browser makes of reports is in test/integration/report.test.ts.
import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import { openStoredRun } from '../../../../coordinator/live/stored-run.ts';
import { writeArtifacts } from '../../../../coordinator/report/artifacts.ts';
import { writeReport } from '../../../../coordinator/report/report.ts';
import { toRunConfig } from '../../../../coordinator/run-folder/run-config.ts';
import { createRunFolder, writeJson } from '../../../../coordinator/run-folder/run-folder.ts';
import { mergeSettings } from '../../../../coordinator/settings/settings.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';

const PAGE = new URL('../../../../dashboards/live/', import.meta.url);
const EVIL = `</script><script>alert("1")</script><img src='https://example.org/x'>`;

function madeUp() {
  const folder = createRunFolder(join(scratchFolder(), 'run'));
  const dataset = toDataset(EVIL, new Uint8Array(2 * 784), Uint8Array.of(3, 4), [28, 28, 1]);
  writeJson(folder.config, { ...toRunConfig(mergeSettings({ steps: 9 }), dataset), chosenBackend: 'cpu' });
  writeFileSync(folder.metrics, '{"step":1,"epoch":0,"lossG":2}\n');
  const write = async (): Promise<string> => {
    const run = await openStoredRun(folder.path);
    return readFileSync(await writeReport({ run, page: PAGE, now: () => 0 }), 'utf8');
  };
  return { folder, write };
}

/** What stands between the tags of an element, as the browser that checks its hash has it. */
const contents = (report: string, element: string): string[] =>
  [...report.matchAll(new RegExp(`<${element}>(.*?)</${element}>`, 'gs'))].map(([, text = '']) => text);

describe('writeReport', () => {
  it('runs nothing but its own script, whatever the files say', async () => {
    const { folder, write } = madeUp();
    writeJson(folder.summary, { step: 1, stateSha256: EVIL, [EVIL]: EVIL });
    const event = { time: 5, step: 1, kind: 'end', text: EVIL, environment: { [EVIL]: EVIL } };
    writeFileSync(folder.events, `${JSON.stringify({ ...event, kind: 'start' })}\n${JSON.stringify(event)}\n`);
    const report = await write();
    expect(report).not.toContain('alert("');
    expect(report).not.toContain("src='");
    expect(report.split('&lt;/script&gt;').length).toBeGreaterThan(6);
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(report)?.[1];
    const hashOf = (text = '') => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const [scripts, styles] = [contents(report, 'script'), contents(report, 'style')];
    expect([scripts.length, styles.length]).toEqual([1, 1]);
    expect(policy).toBe(
      `default-src 'none'; img-src data:; style-src ${hashOf(styles[0])}; script-src ${hashOf(scripts[0])}; base-uri 'none'; form-action 'none'`,
    );
    const addresses = [...report.matchAll(/\s(?:src|href)="([^",]*)/g)].map(([, address]) => address);
    expect(new Set(addresses)).toEqual(new Set(['data:image/svg+xml;base64']));
    expect((await write()) === report).toBe(true); // the same files give the same report
  });

  it('shows a run whose files hold values of any depth, times that are none, and control characters', async () => {
    const { folder, write } = madeUp();
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    writeFileSync(folder.summary, `{"step":1,"wallSeconds":${deep},"x":${deep}}`);
    appendFileSync(
      folder.metrics,
      `{"step":2,"skipped":${deep}}\n{"step":3,"skipped":[{"phase":${deep},"bad":${deep}}]}\n`,
    );
    const lines = [
      `{"time":5,"step":1,"kind":"start","text":${deep}}`,
      `{"time":5,"step":1,"kind":"start","text":"a","environment":{"cpu":${deep}}}`,
      '{"time":1e300,"step":1,"kind":"start","text":"a"}',
      JSON.stringify({ time: 5, step: 1, kind: 'end', text: '\u001b[2J\u202eover' }),
    ];
    writeFileSync(folder.events, `${lines.join('\n')}\n`);
    const report = await write();
    expect(report).toContain('\\u001b[2J\\u202eover');
    expect(report).not.toMatch(/\p{Bidi_Control}/u);
  });

  it('leaves out what is too large, and says where the rest is', async () => {
    const { folder, write } = madeUp();
    writeFileSync(join(folder.samples, 'epochs.gif'), Buffer.alloc(6 * 2 ** 20 + 1));
    writeFileSync(join(folder.samples, 'real.png'), Buffer.alloc(2 ** 20 + 1));
    mkdirSync(join(folder.samples, 'step-00000001.png'));
    const event = (step: number) =>
      `${JSON.stringify({ time: 5, step, kind: 'checkpoint', text: `number ${step}` })}\n`;
    for (let step = 1; step <= 2000; step++) appendFileSync(folder.events, event(step));
    const report = await write();
    expect(report.length).toBeLessThan(400_000);
    expect(report).toContain('samples/epochs.gif animates all samples.');
    expect(report).not.toContain('data:image/png');
    const shown = [...report.matchAll(/>number (\d+)</g)].map(([, step]) => Number(step));
    expect(shown.length).toBeLessThan(1000);
    expect(shown).toEqual(Array.from({ length: shown.length }, (_, i) => 2001 - shown.length + i));
    expect(report).toContain(`${(2000 - shown.length).toLocaleString('en')} earlier events are in events.jsonl.`);
  });
});

describe('writeArtifacts', () => {
  it('says what is no run, before it changes anything', async () => {
    const folder = scratchFolder();
    mkdirSync(join(folder, 'samples'));
    writeFileSync(join(folder, 'samples', 'epochs.gif'), 'mine');
    const onFailure = (message: string) => expect.fail(message);
    const error = await errorOf(() => writeArtifacts({ path: folder, page: PAGE, onFailure }));
    expect(error).toBe(`usage: ${folder}: expected the folder of a run, got none with a config.json`);
    expect(readFileSync(join(folder, 'samples', 'epochs.gif'), 'utf8')).toBe('mine');
  });

  it('writes the report when the animation cannot be made, and says so', async () => {
    const { folder } = madeUp();
    mkdirSync(join(folder.samples, 'epochs.gif'));
    const failures: string[] = [];
    const onFailure = (message: string) => failures.push(message);
    expect(await writeArtifacts({ path: folder.path, page: PAGE, onFailure })).toBe(folder.report);
    expect(failures).toHaveLength(1);
  });
});
