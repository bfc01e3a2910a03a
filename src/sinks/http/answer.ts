import { parseForeignJson } from '../../base/foreign-json.ts';
import { isObject } from '../../base/json.ts';

/** An answer's JSON object; empty when it is not one. */
export function parseAnswer(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const parsed = parseForeignJson(body.toString('utf8'));
    return isObject(parsed) ? parsed : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** The number at a dotted path; undefined when none stands there. Numbers written as strings count. */
export function numberAt(body: Buffer, path: string): number | undefined {
  let value: unknown = parseAnswer(body);
  for (const name of path.split('.')) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
