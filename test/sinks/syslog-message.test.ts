import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { compileMessage, headerField, paramValue } from '../../src/sinks/syslog/message.ts';
import type { SyslogOptions } from '../../src/sinks/syslog/options.ts';
import { awkwardRuns, expectLinear, repeated } from '../cost.ts';
import { outgoing } from './sink-bench.ts';

const options = { rfc: 5424, oversize: 'truncate', facility: 13, app_name: 'penstock', enterprise_number: 32473, bom: false };

/** Cuts a body to so many bytes of a message. */
function cutTo(maxBytes: number, body: string): string {
  const speaker = { hostname: 'host', procid: '1' };
  const event = outgoing({ body });
  const head = compileMessage(options as SyslogOptions, speaker, 1_000_000, silentLog()).encode({ ...event, body: '' });
  const message = compileMessage(options as SyslogOptions, speaker, head.length + maxBytes, silentLog()).encode(event);
  return message.slice(head.length);
}

describe('cutting a message', () => {
  it.each([
    ['ab\\u00e9cd', 3, 'ab'],
    ['ab\\u00e9cd', 5, 'ab'],
    ['ab\\u00e9cd', 7, 'ab'],
    ['ab\\u00e9cd', 8, 'ab\\u00e9'],
    ['ab\\\\u00e9cd', 4, 'ab\\\\'],
    ['ab\\\\u00e9cd', 6, 'ab\\\\u0'],
    ['ab\\\\\\ncd', 5, 'ab\\\\'],
    ['fade', 3, 'fad'],
    ['\\\\\\\\\\', 3, '\\\\'],
    ['u00u00', 4, 'u00u'],
  ])('of %s after %i bytes leaves %s', (body, bytes, left) => {
    expect(cutTo(bytes, body)).toBe(left);
  });

  it.each(Object.entries(awkwardRuns))('of %s costs in proportion to its length', (_name, run) => {
    expectLinear((length) => {
      const text = repeated(run, length);
      return [cutTo(length - 10, text), cutTo(length - 10, `${text}${'x'.repeat(20)}`), headerField(text, 32), paramValue(text)];
    });
  });
});
