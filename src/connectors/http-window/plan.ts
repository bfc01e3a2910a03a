import { compilePath } from '../../event/index.ts';
import type { AuthSpec } from '../auth-section.ts';
import type { RawRecord } from '../connector.ts';
import type { RecordSpec } from '../connector-schema.ts';
import type { HttpWindowSpec } from '../read-section.ts';
import { compileSplit } from '../record-rules.ts';
import type { GroupsSpec } from '../request-section.ts';
import { compileDetails } from './details.ts';
import { isOfWindow } from './groups.ts';
import { compileJudge, type Judge } from './judge.ts';
import { compileParse } from './lines.ts';
import { compileIsRecord } from './lists-elsewhere.ts';
import { compileNewestFirst } from './newest-first.ts';
import { compilePaging, type Paging } from './paging.ts';
import { compilePending, type Pending } from './pending.ts';
import { mostRecords } from './reply.ts';
import { compileReading } from './reply-records.ts';
import { type BoundFormat, compileBound, compileRequest, type RequestTemplate, sweepQuery } from './request.ts';
import { compileStorage } from './storage.ts';

/** A reading of kind http_window, compiled. */
export interface WindowPlan {
  readonly spec: HttpWindowSpec;
  readonly auth: AuthSpec | undefined;
  readonly request: RequestTemplate;
  readonly sweep: RequestTemplate | undefined;
  readonly paging: Paging;
  /** Of a file at a storage host: it is there as a whole, and names no page at the API. */
  readonly filePaging: Paging;
  /** Present where a record may hold several events. */
  readonly split?: (raw: RawRecord) => readonly RawRecord[];
  /** Present where the API knows no time range. */
  readonly newestFirst?: ReturnType<typeof compileNewestFirst>;
  readonly judge: Judge;
  readonly bound: BoundFormat;
  readonly pending: Pending;
  readonly storage: ReturnType<typeof compileStorage>;
  readonly details?: ReturnType<typeof compileDetails>;
  /** The list of groups, each of which is read. */
  readonly groups?: WindowPlan;
  /** Where a group keeps its address. */
  readonly groupLink?: ReturnType<typeof compilePath>;
  /** A detail is JSON, whatever the list is. */
  readonly judgeDetail: Judge;
}

/** Compiles `read:` of kind http_window with `auth:`; `takesOne` where one object may stand for a list of it. Throws a SyntaxError for a wrong path. */
export function compileWindowPlan(
  spec: HttpWindowSpec,
  auth: AuthSpec | undefined,
  record: RecordSpec,
  takesOne = false,
): WindowPlan {
  // A shorter window makes no file smaller: all of one counts.
  const most = spec.groups !== undefined && isOfWindow(spec.groups) ? Number.POSITIVE_INFINITY : mostRecords;
  const isRecord = compileIsRecord(record);
  return {
    spec,
    auth,
    request: compileRequest(spec),
    sweep: spec.sweep === undefined ? undefined : compileRequest(spec, sweepQuery(spec)),
    paging: compilePaging(spec, { most, takesOne, isRecord }),
    filePaging: compilePaging({ ...spec, page: { kind: 'none', whole: true } }, { most, isRecord }),
    ...(record.each === undefined ? {} : { split: compileSplit(record) }),
    ...(spec.newest_first === true ? { newestFirst: compileNewestFirst(record) } : {}),
    judge: compileJudge(spec, compileParse(spec.reply ?? {}, record.time, most, compileReading(spec))),
    bound: compileBound(spec.window),
    pending: compilePending(spec),
    storage: compileStorage(spec.storage),
    judgeDetail: compileJudge({ ...spec, records: [] }, compileParse({}, record.time)),
    ...(spec.details === undefined ? {} : { details: compileDetails(spec.details, spec.storage) }),
    ...(spec.groups?.link === undefined ? {} : { groupLink: compilePath(spec.groups.link) }),
    ...(spec.groups === undefined
      ? {}
      : { groups: compileWindowPlan(listOf(spec, spec.groups), auth, { time: [], action: [] }, true) }),
  };
}

/** The list of groups as a reading of its own. */
function listOf(
  {
    details: _details,
    groups: _groups,
    sweep: _sweep,
    columns: _columns,
    newest_first: _newestFirst,
    records_are: _form,
    records_into: _into,
    reply,
    ...spec
  }: HttpWindowSpec,
  list: GroupsSpec,
): HttpWindowSpec {
  const parsed = list.reply ?? reply;
  return {
    ...spec,
    ...(parsed === undefined ? {} : { reply: parsed }),
    request: list.request,
    page: list.page ?? { kind: 'none' },
    records: list.records,
  };
}
