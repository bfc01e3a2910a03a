import { expect, it } from 'vitest';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { parseAddress } from '../../src/sinks/syslog/options.ts';

it.each([
  ['udp://siem', { scheme: 'udp', host: 'siem', port: 514 }],
  ['tcp://siem', { scheme: 'tcp', host: 'siem', port: 514 }],
  ['tls://siem', { scheme: 'tls', host: 'siem', port: 6514 }],
  ['relp://siem', { scheme: 'relp', host: 'siem', port: 2514 }],
  ['relps://siem:20514', { scheme: 'relps', host: 'siem', port: 20_514 }],
  ['tcp://[2001:db8::1]:601', { scheme: 'tcp', host: '2001:db8::1', port: 601 }],
])('reads %s', (address, expected) => {
  expect(parseAddress(address)).toEqual(expected);
});

it.each([
  'http://siem',
  'tcp://',
  'tcp://siem:0',
  'tcp://siem:65536',
  'tcp://siem:x',
  'tcp://a:1/path',
  'tcp://u@h',
  'tcp://::1:514',
  'siem:514',
])('refuses %s', (address) => {
  expect(parseAddress(address)).toBeUndefined();
});

const base = { rfc: 5424, facility: 13, oversize: 'refuse' };

it.each([
  [{ address: 'tls://siem', framing: 'lf' }, []],
  [{ address: 'tcp://siem:x' }, ['address']],
  [{ address: 'relp://siem', framing: 'lf' }, ['framing']],
  [{ address: 'udp://siem', framing: 'octet_counting', max_message: '70KB' }, ['framing', 'max_message']],
  // `tls` at the top of the file reaches every sink; one that does without ignores it.
  [{ address: 'tcp://siem', tls: {} }, []],
  [{ address: 'tls://siem', tls: { cert_file: 'a.pem' } }, ['tls']],
  [{ address: 'tcp://siem', max_message: '479B' }, ['max_message']],
])('names the faults of %j', (options, paths) => {
  const faults = syslog.check?.({ ...base, ...options }) ?? [];

  expect(faults.map(([path]) => path)).toEqual(paths);
});
