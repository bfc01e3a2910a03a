// Saves what a live source answers as a case of its connector's test: without secrets, no more than asked for, beside nothing that is there.

import { join } from 'node:path';
import { stringify } from 'yaml';
import { PenstockError } from '../../base/errors.ts';
import { isObject } from '../../base/json.ts';
import { silentLog } from '../../base/log.ts';
import { makeFolder } from '../../base/make-folder.ts';
import { iso } from '../../base/quantity.ts';
import type { Files, Seams } from '../../base/seams.ts';
import type { Secrets } from '../../base/secrets.ts';
import { Budgets } from '../../collect/index.ts';
import type { SourceConfig } from '../../config/config.ts';
import type { Connector } from '../../connectors/connector.ts';
import type { HttpClient, HttpResponse } from '../../http/client.ts';
import { openReader, plainUserAgent } from '../../runtime/open-runtime.ts';
import { readAll } from './collect-case.ts';
import { openRedaction, type Redaction } from './redact-reply.ts';
import { type CaseReport, runCase } from './run-case.ts';
import { isTokenRequest, type TestCase } from './test-case.ts';

/** What to record. */
interface Recording {
  readonly source: SourceConfig;
  readonly window: { readonly from: number; readonly to: number };
  /** Name of the case. */
  readonly name: string;
  /** The connector's folder. */
  readonly folder: string;
  /** Most answers that are asked for. */
  readonly most: number;
}

/** A client around another one that keeps the answers to all requests but those for tokens. */
class Recorder {
  readonly asked: string[] = [];
  readonly replies: (HttpResponse | undefined)[] = [];
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  readonly around = (http: HttpClient): HttpClient => ({
    ...http,
    request: async (request) => {
      if (isTokenRequest(request)) return await http.request(request);
      if (this.asked.length >= this.#most)
        throw new PenstockError('PEN_OPERATION_FAILED', `the range has more than ${this.#most} pages; nothing was saved`, {
          fix: 'take a shorter one (--from, --to), or allow more (--pages)',
        });
      const at = this.asked.push(request.url.pathname) - 1;
      const reply = await http.request(request);
      this.replies[at] = reply;
      return reply;
    },
  });
}

/**
 * Reads a range of a source as `connector test` will read its recording, saves every answer, and runs the new case with `update`. Throws
 * PEN_OPERATION_FAILED for a case that exists, a range without records or with more pages than allowed, and answers that cannot be cleared of secrets; then
 * nothing was written.
 */
export async function recordCase(
  { source, window, name, folder, most }: Recording,
  seams: Seams,
  secrets: Secrets,
): Promise<CaseReport> {
  const { connector } = source;
  if (connector.kind !== 'http_window' && connector.kind !== 'http_cursor')
    throw new PenstockError('PEN_OPERATION_FAILED', `a source of kind ${connector.kind} has no pages to record`, {
      fix: 'put a CSV file, or messages.ndjson, into the folder of the case by hand',
    });
  const path = join(folder, 'tests', name);
  await refuseExisting(path, seams.files);
  const recorder = new Recorder(most);
  const test: TestCase = { name, folder: path, options: (await source.resolve()).options, window };
  const log = silentLog();
  const opening = { seams, log, userAgent: plainUserAgent, secrets, around: recorder.around };
  await using reader = await openReader(source, opening, new Budgets(seams, log));
  const records = await readAll(connector, test, reader, recorder, seams);
  // Such a case passes whatever the connector makes of a record.
  if (records.length === 0)
    throw new PenstockError('PEN_OPERATION_FAILED', 'the vendor has no records in the range; nothing was saved', {
      where: `source ${source.name}, ${iso(window.from)} to ${iso(window.to)}`,
      fix: 'take a range in which something happened (--from, --to)',
    });
  const redaction = openRedaction((text) => secrets.scrub(text), connector.text);
  const texts = textsOf(connector, test, recorder.replies, redaction);
  await makeFolder(join(folder, 'tests'), seams.files);
  await makeNew(path, seams.files);
  const written: string[] = [];
  for (const [file, text] of Object.entries(texts)) {
    await seams.files.writeFile(join(path, file), text, { flag: 'wx', mode: 0o600 });
    written.push(join(path, file));
  }
  const report = await runCase(connector, name, path, seams, true);
  return { ...report, written: [...written, ...report.written] };
}

const isThere = (path: string): PenstockError =>
  new PenstockError('PEN_OPERATION_FAILED', 'there is such a case already', {
    where: path,
    fix: 'name another one (--case), or delete that folder first',
  });

async function refuseExisting(path: string, files: Files): Promise<void> {
  try {
    await files.lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  throw isThere(path);
}

async function makeNew(path: string, files: Files): Promise<void> {
  try {
    await files.mkdir(path);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? isThere(path) : error;
  }
}

function textsOf(
  connector: Connector,
  { options, window = { from: 0, to: 0 } }: TestCase,
  replies: readonly (HttpResponse | undefined)[],
  redaction: Redaction,
): Record<string, string> {
  const texts: Record<string, string> = {
    'case.yaml': stringify({
      options: optionsOf(connector, options, redaction),
      from: iso(window.from),
      to: iso(window.to),
    }),
  };
  const answered = replies.flatMap((reply) => reply ?? []);
  for (const [index, reply] of answered.entries()) {
    texts[`page-${index + 1}.json`] = redaction.body(reply);
    texts[`page-${index + 1}.headers`] = redaction.head(reply);
  }
  return texts;
}

/** The options as a case says them: what is a default goes without saying, what is secret is made up. */
function optionsOf(connector: Connector, options: TestCase['options'], redaction: Redaction): Record<string, unknown> {
  const schema = isObject(connector.options) ? connector.options : {};
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) => {
      const property = isObject(properties[name]) ? properties[name] : {};
      if (value === undefined || value === property['default']) return [];
      return [[name, property['secret'] === true ? 'made-up' : redaction.plain(value)]];
    }),
  );
}
