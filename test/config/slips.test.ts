// What people write who know what they mean: each gets to read what to write instead.
import { expect, it } from 'vitest';
import { meantDuration } from '../../src/base/slips.ts';
import { sinkTypes } from '../../src/sinks/index.ts';
import { faultsOf, load } from './load.ts';

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
  ['no blank after a colon', valid.replace('schedule: ', 'schedule:'), 'write schedule: and a blank before its value'],
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
  ['a colon without a blank between braces', file('', '    batch: {events:100}'), 'write events: and a blank before its value'],
  [
    'a number with marks between its digits',
    file('', '    max_dead_letters: 10_000'),
    'write 10000, without quotes or marks between its digits',
  ],
  [
    'a number with commas',
    file('', '    max_dead_letters: 1,000,000'),
    'write 1000000, without quotes or marks between its digits',
  ],
  ['a number in quotes', file('', '    in_flight: "2"'), 'write 2, without quotes or marks between its digits'],
  ['a number in curly quotes', file('', '    in_flight: “2”'), `use plain quotes, " or ', or none`],
  ['yes', file('', '    enabled: yes'), 'write true'],
  ['Off', file('', '    enabled: Off'), 'write false'],
  ['a truth that is none', file('', '    enabled: maybe'), 'write true or false'],
  ['a time without a zone', file('    start: 2026-11-01T10:00:00'), 'write 2026-11-01T10:00:00Z, which is UTC'],
  ['a time with a blank', file('    start: 2026-11-01 10:00'), 'write 2026-11-01T10:00:00Z, which is UTC'],
  ['a zone without its colon', file('    start: 2026-11-01T10:00:00+0100'), 'write 2026-11-01T10:00:00+01:00'],
  ['a date with dots', file('    start: 1.11.2026'), 'write 2026-11-01'],
  [
    'a date that is none',
    file('    start: 31.11.2026'),
    'write a duration (30d), an RFC 3339 time, now or oldest; a time carries its zone: 2026-11-21T10:00:00Z',
  ],
  [
    'a mark of a merge',
    valid.replace('    schedule', '<<<<<<< HEAD\n    schedule'),
    'keep one of the two versions, and remove the lines with marks',
  ],
  ['a comment of another language', `// audit logs\n${valid}`, 'write # in the place of //'],
  ['lines that end with a carriage return', valid.replaceAll('\n', '\r'), 'save the file with the line ends of Unix or Windows'],
  [
    'a comment in the place of a value',
    file('', '    index: #main'),
    'it has no value: write one, in quotes if it begins with #, or remove the name',
  ],
  [
    'a dash without a blank',
    valid.replace('[https://hec.example.com:8088]', '\n      -https://hec.example.com:8088'),
    'write a blank after the dash: - https://hec.example.com:8088',
  ],
  ['milliseconds without a unit', schedule('60000'), 'write it with its unit: 60000ms, 60000s, 60000m, 60000h'],
  ['a time of minutes and seconds', schedule('1m30s'), 'write 90s'],
  ['a time since 1970', file('    start: 1795168830'), 'write 2026-11-20T10:00:30Z'],
  ['one in milliseconds', file('    start: 1795168830123'), 'write 2026-11-20T10:00:30.123Z'],
  ['a time before now', file('    start: -30d'), 'write 30d'],
  ['a time ago', file('    start: 30 days ago'), 'write 30d'],
  ['a scheme with backslashes', valid.replace('https://', 'https:\\\\'), 'write https://hec.example.com:8088'],
  ['a scheme without its colon', valid.replace('https://', 'https//'), 'write https://hec.example.com:8088'],
  ['a scheme that is misspelt', valid.replace('https://', 'htps://'), 'begin it with https:// or http://'],
  ['a scheme that stands there twice', valid.replace('https://', 'https://https://'), 'write https://hec.example.com:8088'],
  ['a port that is too high', valid.replace('8088', '80880'), 'write the port as a number from 1 to 65535'],
  ['a port that is a word', valid.replace('8088', 'port'), 'write the port as a number from 1 to 65535'],
  ['a blank in a host', valid.replace('hec.ex', 'hec ex'), 'a host has no blanks'],
  [
    'a place to fill in',
    valid.replace('hec.ex', '<hec>.ex'),
    'replace what stands between < and > with the value that it stands for',
  ],
  [
    'an IPv6 address',
    valid.replace('hec.example.com:8088', '2001:db8::1'),
    'put an IPv6 address into brackets, and all of it into quotes: "https://[2001:db8::1]"',
  ],
  [
    'an IPv6 address in a list',
    valid.replace('hec.example.com', '[2001:db8::1]'),
    'put it into quotes: "https://[2001:db8::1]:8088"',
  ],
  ['a variable with a blank', valid.replace('made-up', '${env: HEC_TOKEN}'), 'write ${env:HEC_TOKEN}'],
  ['a variable as Windows has it', valid.replace('made-up', '%HEC_TOKEN%'), 'write ${env:HEC_TOKEN}'],
  ['a variable as templates have it', valid.replace('made-up', '{{ env.HEC_TOKEN }}'), 'write ${env:HEC_TOKEN}'],
  [
    'a character without a width in a secret',
    valid.replace('made-up', 'made-up\u200b'),
    'type it anew, or copy it from elsewhere',
  ],
  [
    'a character without a width in an address',
    valid.replace('8088', '8088\u200b'),
    'it holds a character that is not seen, as web pages have them: type it anew',
  ],
  ['an endpoint twice, once with a slash', valid.replace(':8088]', ':8088, https://HEC.example.com:8088/]'), 'leave it out'],
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
  ['PT5M', '5m'],
  ['P1DT12H', '36h'],
  ['00:05:00', '5m'],
  ['1,5 h', '1.5h'],
  ['1:30', undefined],
  ['', undefined],
])('takes %j for %j', (text, duration) => {
  expect(meantDuration(text)).toBe(duration);
});

it('repeats nothing of a secret that stands right after its colon', async () => {
  const faults = await faultsOf(valid.replace(/    type: splunk_hec[^]*/, '    { type: splunk_hec, token:s3cret-value }\n'), {
    sinkTypes,
  });

  expect(faults.join('\n')).toContain('there is no blank after the colon of "token"');
  expect(faults.join('\n')).not.toContain('s3cret');
});

it.each([
  ['options: { org_id: “acme” }', 'options: { org_id: acme }', true],
  ['token: ‘made-up’', 'token: made-up', true],
  ['options: { org_id: acme’s }', 'options: { org_id: acme }', false],
])('warns of curly quotes around a text: %s', async (bent, plain, warned) => {
  const { warnings } = await load(valid.replace(plain, bent), { sinkTypes });

  expect(warnings.map(({ what }) => what).includes('the curly quotes are part of the text')).toBe(warned);
  expect(JSON.stringify(warnings)).not.toContain('made-up');
});

it.each([
  ['token: made-up #up', true],
  ['token: made-up # of the vault', false],
  ['token: made-up#up', false],
  ["token: 'made-up' #up", false],
])('warns of a comment behind a secret that may belong to it: %s', async (line, warned) => {
  const { warnings } = await load(valid.replace('token: made-up', line), { sinkTypes });

  expect(warnings.map(({ what }) => what).includes('what follows # is a comment, and no part of the secret')).toBe(warned);
});

it('warns of a character without a width in a text', async () => {
  const { warnings } = await load(valid.replace('acme', 'ac\u200bme'), { sinkTypes });

  expect(warnings.map(({ line, what }) => [line, what])).toContainEqual([4, 'the text holds a character that is not seen']);
});
