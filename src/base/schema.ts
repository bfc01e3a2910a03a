import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { PenstockError } from './errors.ts';
import { durationPattern, sizePattern } from './quantity.ts';

/**
 * An ajv as this program uses it: strict, all errors at once, defaults filled in.
 *
 * Knows the marks `secret` and `identity`, and the formats `duration` (`30s`), `size` (`2GiB`), `uri` and `date-time`; `path` marks a file or
 * folder, which `config` makes absolute against the configuration's folder.
 */
function openAjv(): Ajv2020 {
  const ajv = new Ajv2020({
    strict: true,
    allErrors: true,
    useDefaults: true,
    verbose: true,
    allowUnionTypes: true,
    // Compiling the schema of schemas takes longer than ours together: a test holds every schema of ours to it, and strict mode is on.
    validateSchema: false,
    // A configuration is checked once: optimising the check would take longer than running it.
    code: { optimize: false },
  });
  ajv.addVocabulary(['secret', 'identity']);
  ajv.addFormat('duration', new RegExp(durationPattern));
  ajv.addFormat('size', new RegExp(sizePattern));
  // `host:443` would be a URI whose scheme is `host`.
  ajv.addFormat('uri', (text) => text.includes('://') && URL.canParse(text));
  ajv.addFormat('date-time', (text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)));
  ajv.addFormat('path', true);
  return ajv;
}

let shared: Ajv2020 | undefined;

/** Compiles a JSON Schema; one that is no schema throws PEN_INTERNAL with ajv's words. */
export function compileSchema<T>(schema: unknown): ValidateFunction<T> {
  try {
    shared ??= openAjv();
    return shared.compile<T>(schema as object);
  } catch (error) {
    throw new PenstockError('PEN_INTERNAL', `the schema does not compile: ${(error as Error).message}`, { cause: error });
  }
}
