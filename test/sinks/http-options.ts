import { compileSchema } from '../../src/base/schema.ts';
import { http } from '../../src/sinks/http/index.ts';
import type { HttpOptions } from '../../src/sinks/http/options.ts';

const validate = compileSchema<HttpOptions>(http.options);

/** Options of an `http` sink as the configuration hands them over: checked, defaults filled in. */
export function httpOptions(url: string, over: Partial<HttpOptions> = {}): HttpOptions {
  const options: unknown = { url, ...over };
  if (!validate(options))
    throw new Error(JSON.stringify(validate.errors?.map(({ instancePath, message }) => [instancePath, message])));
  return options;
}
