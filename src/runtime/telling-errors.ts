// Where what a vendor said enters the process as an error: from here on it is scrubbed, cut and harmless, wherever it is stored or shown.
import { PenstockError } from '../base/errors.ts';
import type { Secrets } from '../base/secrets.ts';
import type { CursorReader, DirectoryReader, Reader, StreamReader, WindowReader } from '../connectors/connector.ts';

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

function windows(reader: WindowReader, secrets: Secrets): Partial<WindowReader> {
  return {
    ...detailed(reader, secrets),
    page: (request, signal) => telling(reader.page(request, signal), secrets),
    ...(reader.sweepPage === undefined
      ? {}
      : {
          sweepPage: (request, signal) =>
            telling(reader.sweepPage?.(request, signal) ?? Promise.reject(new Error('no sweep')), secrets),
        }),
  };
}

function detailed({ details }: WindowReader | CursorReader, secrets: Secrets): Pick<WindowReader, 'details'> {
  if (details === undefined) return {};
  return { details: { ask: (record, uid, signal) => telling(details.ask(record, uid, signal), secrets) } };
}

function cursor(reader: CursorReader, secrets: Secrets): Partial<CursorReader> {
  const { range } = reader;
  return {
    ...detailed(reader, secrets),
    page: (request, signal) => telling(reader.page(request, signal), secrets),
    ...(range === undefined ? {} : { range: Object.assign(Object.create(range) as WindowReader, windows(range, secrets)) }),
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

function ownOf(reader: Reader, secrets: Secrets): Partial<Reader> {
  if (reader.kind === 'http_window') return windows(reader, secrets);
  if (reader.kind === 'http_cursor') return cursor(reader, secrets);
  return reader.kind === 'csv_directory' ? files(reader, secrets) : stream(reader, secrets);
}

/** The reader with the words of its errors as {@link Secrets.tell} gives them. */
export function tellingErrors(reader: Reader, secrets: Secrets): Reader {
  const own = ownOf(reader, secrets);
  return Object.assign(Object.create(reader) as Reader, own);
}
