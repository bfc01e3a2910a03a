import type { Reader, ReaderDeps } from './connector.ts';
import type { ConnectorSpec } from './connector-schema.ts';
import { openDirectoryReader } from './csv-directory/directory-reader.ts';
import { compileWindowPlan, openWindowReader } from './http-window/window-reader.ts';
import { optionScope, secretsOf } from './options.ts';
import { compileUrl } from './origin.ts';
import { openStreamReader } from './pulsar-websocket/stream-reader.ts';
import { compileTemplate } from './template.ts';

type Options = Readonly<Record<string, unknown>>;

/** How a connector reads: opens readers and says which origin they go to. */
interface CompiledRead {
  open(options: Options, deps: ReaderDeps): Reader;
  /** `{ origin }`, or nothing for what has none. */
  origin(options: Options): Readonly<Record<string, string>>;
}

/** Compiles `read:` and `auth:` once for all sources of a connector. */
export function compileRead({ read, auth, options: specs }: ConnectorSpec): CompiledRead {
  if (read.kind === 'http_window') {
    const plan = compileWindowPlan(read, auth);
    return {
      open: (options, deps) => openWindowReader(plan, optionScope(options), secretsOf(specs, options), deps),
      origin: (options) => ({ origin: plan.request.origin(optionScope(options)) }),
    };
  }
  if (read.kind === 'csv_directory') {
    const directory = compileTemplate(read.directory);
    return {
      open: (options, deps) => openDirectoryReader(read, directory.render(optionScope(options)) ?? '', deps),
      origin: () => ({}),
    };
  }
  const service = compileUrl(read.url);
  return {
    open: (options, deps) => openStreamReader(read, optionScope(options), secretsOf(specs, options), deps),
    origin: (options) => ({ origin: service.origin(optionScope(options)) }),
  };
}
