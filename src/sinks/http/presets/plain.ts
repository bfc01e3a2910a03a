import { jsonValue, type Preset } from '../preset.ts';

const text = 'text/plain; charset=utf-8';

/** What `body:` means without a preset: the same kind of data as a preset. */
export function plain(body: 'ndjson' | 'json_array' | 'single', isJson: boolean): Preset {
  return bodies[body](isJson);
}

const shared = { needs: ['url'], path: '', limits: {} } as const;
const none = { head: '', tail: '', cut: 0 };

const bodies: Readonly<Record<'ndjson' | 'json_array' | 'single', (isJson: boolean) => Preset>> = {
  ndjson: (isJson) => ({
    ...shared,
    contentType: isJson ? 'application/x-ndjson' : text,
    frame: () => none,
    entry: () => (event) => `${event.body}\n`,
  }),
  json_array: () => ({
    ...shared,
    contentType: 'application/json',
    frame: () => ({ head: '[', tail: ']', cut: 1 }),
    entry:
      ({ isJson }) =>
      (event) =>
        `${jsonValue(event, isJson)},`,
  }),
  single: (isJson) => ({
    ...shared,
    contentType: isJson ? 'application/json' : text,
    frame: () => none,
    entry: () => (event) => event.body,
    limits: { batchEvents: 1 },
  }),
};
