import type { SplunkHecOptions } from '../../src/sinks/splunk-hec/options.ts';

/** A token as Splunk makes them; tests search for it where it must not be. */
export const hecToken = 'c0ffee00-0000-4000-8000-5ec2e7000001';

/** Options of a `splunk_hec` sink as the configuration hands them over, defaults filled in. */
export function hecOptions(endpoints: string | readonly string[], over: Partial<SplunkHecOptions> = {}): SplunkHecOptions {
  return {
    endpoints: typeof endpoints === 'string' ? [endpoints] : [...endpoints],
    token: hecToken,
    acknowledge: 'off',
    ack_poll: '10s',
    ack_timeout: '5m',
    compression: 'gzip',
    max_event_bytes: '5MB',
    ...over,
  };
}

export const ok = { status: 200, body: { text: 'Success', code: 0 } } as const;

/** The concatenated JSON objects of a HEC body. */
export function envelopes(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
