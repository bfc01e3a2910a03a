// What people write who know what they mean: each gets to read what to write instead.
import { expect, it } from 'vitest';
import { meantDuration } from '../../src/config/slips.ts';
import { sinkTypes } from '../../src/sinks/index.ts';
import { faultsOf } from './load.ts';

const file = (source: string, sink = '    index: main'): string =>
  `sources:
  feed:
    connector: vendor
    options: { org_id: acme }
${source}
sinks:
  splunk:
    type: splunk_hec
    endpoints: [https://hec.example.com:8088]
    token: made-up
${sink}
`;
const schedule = (text: string): string => file(`    schedule: ${text}`);
const valid = schedule('5m');

it.each([
  ['a unit in words', schedule('5 min'), 'write 5m'],
  ['a unit in words, and a word before it', schedule('every 2 hours'), 'write 2h'],
  ['a duration without a unit', schedule('300'), 'write it with its unit: 300s, 300m, 300h'],
  ['a duration elsewhere', file('', '    timeout: 30 sec'), 'write 30s'],
  ['a size in small letters', file('', '    batch: { bytes: 1 mb }'), 'write 1MB'],
  ['a binary size without its B', file('', '    batch: { bytes: 2Mi }'), 'write 2MiB'],
  ['no blank after a colon', valid.replace('schedule: ', 'schedule:'), 'write schedule: 5m'],
  ['a no-break space after a colon', valid.replace('schedule: ', 'schedule:\u00a0'), 'type its blanks anew'],
  [
    'no-break spaces as indentation',
    valid.replace('    schedule', '\u00a0\u00a0\u00a0\u00a0schedule'),
    'it begins with a no-break or other odd blank, as web pages have them: type the blanks of this line anew',
  ],
  [
    'curly quotes',
    valid.replace('https://hec.example.com:8088', '“https://hec.example.com:8088”'),
    `use plain quotes, " or ', or none`,
  ],
  ['a slash too few', valid.replace('https://', 'https:/'), 'write https://hec.example.com:8088'],
  ['text in the place of a list', valid.replace(/[[\]]/g, ''), 'write a list: [https://hec.example.com:8088]'],
  [
    'a list in the place of a map',
    valid.replace('  splunk:\n    type', '  - name: splunk\n    type'),
    'take the "- " before each line away: it is NAME: value here, without a list',
  ],
  [
    'a sink at the beginning of a line',
    valid.replace('  splunk:', 'splunk:'),
    'indent "splunk" and all of its lines so that it stands below sinks:',
  ],
  [
    'a comment in the place of a value',
    file('', '    index: #main'),
    'it has no value: write one, in quotes if it begins with #, or remove the name',
  ],
])('says what to write for %s', async (_name, yaml, fix) => {
  expect(await faultsOf(yaml, { sinkTypes })).toContain(`  fix: ${fix}`);
});

it('says once that sinks are a list', async () => {
  const faults = await faultsOf('sources: {}\nsinks:\n  - type: stdout\n', { sinkTypes });

  expect(faults.filter((line) => !line.startsWith('  '))).toEqual(['penstock.yaml:3:3 (sinks): must be an object']);
});

it.each([
  ['5 seconds', '5s'],
  ['1.5 hrs', '1.5h'],
  ['10 D', '10d'],
  ['2 weeks', '2w'],
  ['100 ms', '100ms'],
  ['*/5 * * * *', undefined],
  ['0 6 * * *', undefined],
  ['5 months', undefined],
  ['soon', undefined],
])('takes %j for %j', (text, duration) => {
  expect(meantDuration(text)).toBe(duration);
});
