// What failed or was skipped in vitest's JSON report, a few lines each: node .ci/failures.mjs REPORT
import { readFileSync } from 'node:fs';

const { testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const excerpt = (text) => (text ?? '').split('\n').slice(0, 12).join('\n').slice(0, 1500);

for (const { name, status, message, assertionResults } of testResults) {
  const file = name.replace(`${process.cwd()}/`, '');
  const bad = assertionResults.filter((test) => test.status !== 'passed');
  for (const test of bad)
    console.log(`== ${test.status}: ${file}: ${test.fullName}\n${excerpt(test.failureMessages?.[0])}`);
  if (status === 'failed' && bad.length === 0) console.log(`== failed: ${file}\n${excerpt(message)}`);
}
