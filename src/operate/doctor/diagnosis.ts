import { asPenstockError } from '../../base/errors.ts';

/** One thing that was looked at; field names are stable. */
export interface Diagnosis {
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'error';
  readonly what: string;
  readonly fix?: string;
}

export const ok = (check: string, what: string): Diagnosis => ({ check, level: 'ok', what });
export const warning = (check: string, what: string, fix?: string): Diagnosis => ({
  check,
  level: 'warning',
  what,
  ...(fix === undefined ? {} : { fix }),
});
export const wrong = (check: string, what: string, fix?: string): Diagnosis => ({
  check,
  level: 'error',
  what,
  ...(fix === undefined ? {} : { fix }),
});

export function ofError(check: string, error: unknown): Diagnosis {
  const { message, where, fix } = asPenstockError(error);
  return wrong(check, where === undefined ? message : `${where}: ${message}`, fix);
}
