import type { AuthSpec } from '../auth-section.ts';
import type { CursorReader, ReaderDeps } from '../connector.ts';
import type { RecordSpec } from '../connector-schema.ts';
import { compileJudge } from '../http-window/judge.ts';
import { compileParse } from '../http-window/lines.ts';
import { compileIsRecord } from '../http-window/lists-elsewhere.ts';
import { compileCursorPaging } from '../http-window/paging.ts';
import { compileWindowPlan, type WindowPlan } from '../http-window/plan.ts';
import { compileReading } from '../http-window/reply-records.ts';
import { compileRequest, type RequestTemplate } from '../http-window/request.ts';
import { Walker } from '../http-window/walker.ts';
import { openWindowReader } from '../http-window/window-reader.ts';
import type { HttpCursorSpec, HttpWindowSpec } from '../read-section.ts';
import type { WindowSpec } from '../request-section.ts';
import type { Scope } from '../template.ts';

interface CursorPlan {
  readonly spec: HttpCursorSpec;
  readonly cursor: WindowPlan;
  /** Where a source begins at the end of the log. */
  readonly atEnd: RequestTemplate | undefined;
  readonly range: WindowPlan | undefined;
}

/** What stands in for the windows of a connector by cursor: how times are written, and how ranges are cut. */
export function windowOfCursor({ cursor, range }: Pick<HttpCursorSpec, 'cursor' | 'range'>): WindowSpec {
  const { max = '24h', min = '1m' } = range ?? {};
  return { ...cursor, settle: '0s', max, min };
}

/** Compiles `read:` of kind http_cursor with `auth:`. Throws a SyntaxError for a wrong path. */
export function compileCursorPlan(spec: HttpCursorSpec, auth: AuthSpec | undefined, record: RecordSpec): CursorPlan {
  const { cursor: _cursor, range, request, kind: _kind, ...rest } = spec;
  const { now, ...asked } = request;
  const window = windowOfCursor(spec);
  const like = (change: Partial<HttpWindowSpec>): HttpWindowSpec => ({
    ...rest,
    kind: 'http_window',
    request: asked,
    window,
    ...change,
  });
  const cursor = like({});
  // Nothing smaller than the page behind a cursor can be asked for: all of it counts.
  const judge = compileJudge(
    cursor,
    compileParse(spec.reply ?? {}, record.time, Number.POSITIVE_INFINITY, compileReading(cursor)),
  );
  const query = { ...asked.first?.query, ...now?.query };
  const first = { ...asked.first, ...now, query, ...bodyOf({ ...asked.first?.body, ...now?.body }) };
  return {
    spec,
    cursor: { ...compileWindowPlan(cursor, auth, record), paging: compileCursorPaging(cursor, compileIsRecord(record)), judge },
    atEnd: now === undefined ? undefined : compileRequest({ ...cursor, request: { ...asked, first } }),
    range:
      range === undefined
        ? undefined
        : compileWindowPlan(
            like({ request: range.request, page: range.page ?? spec.page, records: range.records ?? spec.records }),
            auth,
            record,
          ),
  };
}

const bodyOf = (body: Record<string, unknown>): { body?: Record<string, unknown> } =>
  Object.keys(body).length === 0 ? {} : { body };

const namesStart = /\{\{\s*window\.from\s*\}\}/;

/** Opens a reader for one source. `options` gives the values of templates, `secrets` those that no text may show. */
export function openCursorReader(
  { spec, cursor, atEnd, range }: CursorPlan,
  options: Scope,
  secrets: readonly string[],
  deps: ReaderDeps,
): CursorReader {
  const walker = new Walker(cursor, options, secrets, deps);
  const ranges = range === undefined ? undefined : openWindowReader(range, options, secrets, deps, walker.auth);
  return {
    kind: 'http_cursor',
    cursor: spec.page.kind === 'token' ? 'token' : 'link',
    begins: { atTime: namesStart.test(JSON.stringify(spec.request)), atEnd: atEnd !== undefined },
    ...walker.details(),
    emptyPageContinues: spec.page.empty_page === 'continues',
    pageSize: spec.page.size,
    page({ atEnd: isAtEnd = false, from, ...wanted }, signal) {
      const template = isAtEnd && atEnd !== undefined ? atEnd : cursor.request;
      return walker.page(template, { ...wanted, from: wanted.state === null ? from : undefined }, signal);
    },
    ...(ranges === undefined ? {} : { range: ranges }),
    get requestCount() {
      return walker.requestCount + (ranges?.requestCount ?? 0);
    },
    rest() {
      walker.rest();
      ranges?.rest?.();
    },
    [Symbol.asyncDispose]: () => walker[Symbol.asyncDispose](),
  };
}
