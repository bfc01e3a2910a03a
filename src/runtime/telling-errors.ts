// Where what a vendor said enters the process as an error: from here on it is scrubbed, cut and harmless, wherever it is stored or shown. And
// where it gives us a place to go on from that is a secret of somebody.
import { PenstockError } from '../base/errors.ts';
import { type Random, uuid } from '../base/random.ts';
import { redacted, type Secrets } from '../base/secrets.ts';
import type {
  CursorReader,
  DirectoryReader,
  Page,
  PageState,
  Reader,
  StreamReader,
  WindowReader,
} from '../connectors/connector.ts';

function told(error: unknown, secrets: Secrets): unknown {
  return error instanceof PenstockError ? secrets.tellError(error) : error;
}

async function telling<T>(work: Promise<T>, secrets: Secrets): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw told(error, secrets);
  }
}

/** Longer ones are looked at in vain: no secret fills them. */
const longestSecretToken = 4_096;
const mostHidden = 1_000;

/**
 * Page tokens that are a secret of this process, of whatever part of it and however it is written. They are stored under a name that says nothing;
 * when the process has ended the vendor refuses the name, and the walk begins again. What merely holds a secret is none: vendors write the
 * names of their customers into tokens, which may come from the environment as secrets do.
 */
class HiddenTokens {
  readonly #secrets: Secrets;
  readonly #random: Random;
  readonly #tokens = new Map<string, string>();

  constructor(secrets: Secrets, random: Random) {
    this.#secrets = secrets;
    this.#random = random;
  }

  hide<P extends Page>(page: P): P {
    const { next } = page;
    if (next?.kind !== 'token' || next.token.length > longestSecretToken || this.#secrets.scrub(next.token) !== redacted)
      return page;
    return { ...page, next: { ...next, token: this.#nameOf(next.token) } };
  }

  show<R extends { readonly state: PageState | null }>(request: R): R {
    const { state } = request;
    const token = state?.kind === 'token' ? this.#tokens.get(state.token) : undefined;
    return token === undefined ? request : { ...request, state: { ...state, kind: 'token', token } };
  }

  #nameOf(token: string): string {
    for (const [name, known] of this.#tokens) if (known === token) return name;
    if (this.#tokens.size >= mostHidden) this.#tokens.clear();
    const name = `hidden-${uuid(this.#random)}`;
    this.#tokens.set(name, token);
    return name;
  }
}

function windows(reader: WindowReader, secrets: Secrets, tokens: HiddenTokens): Partial<WindowReader> {
  return {
    ...detailed(reader, secrets),
    page: async (request, signal) => tokens.hide(await telling(reader.page(tokens.show(request), signal), secrets)),
    ...(reader.sweepPage === undefined
      ? {}
      : {
          sweepPage: async (request, signal) => {
            const page = reader.sweepPage?.(tokens.show(request), signal) ?? Promise.reject(new Error('no sweep'));
            return tokens.hide(await telling(page, secrets));
          },
        }),
  };
}

function detailed({ details }: WindowReader | CursorReader, secrets: Secrets): Pick<WindowReader, 'details'> {
  if (details === undefined) return {};
  return { details: { ask: (record, uid, signal) => telling(details.ask(record, uid, signal), secrets) } };
}

function cursor(reader: CursorReader, secrets: Secrets, tokens: HiddenTokens): Partial<CursorReader> {
  const { range } = reader;
  return {
    ...detailed(reader, secrets),
    page: async (request, signal) => tokens.hide(await telling(reader.page(tokens.show(request), signal), secrets)),
    ...(range === undefined
      ? {}
      : { range: Object.assign(Object.create(range) as WindowReader, windows(range, secrets, tokens)) }),
  };
}

function files(reader: DirectoryReader, secrets: Secrets): Partial<DirectoryReader> {
  return {
    async list(signal) {
      const listing = await telling(reader.list(signal), secrets);
      const skipped = listing.skipped.map(({ path, reason }) => ({
        path: secrets.tell(path, 255),
        reason: secrets.tell(reason),
      }));
      return { files: listing.files, skipped, hash: (file, hashSignal) => telling(listing.hash(file, hashSignal), secrets) };
    },
    async *read(file, signal) {
      try {
        yield* reader.read(file, signal);
      } catch (error) {
        throw told(error, secrets);
      }
    },
  };
}

function stream(reader: StreamReader, secrets: Secrets): Partial<StreamReader> {
  return {
    run: (handlers, signal) =>
      telling(
        reader.run(
          {
            onMessages: (messages) => handlers.onMessages(messages),
            onState: (state) =>
              handlers.onState(state.error === undefined ? state : { ...state, error: secrets.tell(state.error) }),
          },
          signal,
        ),
        secrets,
      ),
    ...(reader.probe === undefined
      ? {}
      : {
          probe: (signal, options) => telling(reader.probe?.(signal, options) ?? Promise.reject(new Error('no probe')), secrets),
        }),
  };
}

function ownOf(reader: Reader, secrets: Secrets, random: Random): Partial<Reader> {
  const tokens = new HiddenTokens(secrets, random);
  if (reader.kind === 'http_window') return windows(reader, secrets, tokens);
  if (reader.kind === 'http_cursor') return cursor(reader, secrets, tokens);
  return reader.kind === 'csv_directory' ? files(reader, secrets) : stream(reader, secrets);
}

/** The reader with the words of its errors as {@link Secrets.tell} gives them, and without page tokens that are a secret. */
export function tellingErrors(reader: Reader, secrets: Secrets, random: Random): Reader {
  const own = ownOf(reader, secrets, random);
  return Object.assign(Object.create(reader) as Reader, own);
}
