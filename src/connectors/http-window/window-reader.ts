import pRetry from 'p-retry';
import { sleep } from '../../base/clock.ts';
import { consequenceOf, PenstockError } from '../../base/errors.ts';
import { fullJitterMs } from '../../base/random.ts';
import { createSecrets } from '../../base/secrets.ts';
import type { HttpRequest, HttpResponse } from '../../http/client.ts';
import { answeredAt, retryAfterMs } from '../../http/index.ts';
import { type Authenticator, openAuth } from '../auth.ts';
import type { AuthSpec } from '../auth-section.ts';
import type {
  CursorPage,
  DetailReader,
  Page,
  PageRequest,
  PageState,
  RawRecord,
  ReaderDeps,
  WindowReader,
} from '../connector.ts';
import type { RecordSpec } from '../connector-schema.ts';
import type { HttpWindowSpec } from '../read-section.ts';
import { compileSplit } from '../record-rules.ts';
import type { Scope } from '../template.ts';
import { budgetNews } from './budget-news.ts';
import { compileDetails, openDetails } from './details.ts';
import { compileParse } from './lines.ts';
import { linkUrl } from './links.ts';
import { compilePaging, type Paging } from './paging.ts';
import { requireJson, vendorWords } from './reply.ts';
import { type BoundFormat, compileBound, compileRequest, type RequestTemplate, sweepQuery } from './request.ts';
import { compileJudge, type Judge, refusalError, type Verdict } from './verdict.ts';

/** A reading of kind http_window, compiled. */
export interface WindowPlan {
  readonly spec: HttpWindowSpec;
  readonly auth: AuthSpec | undefined;
  readonly request: RequestTemplate;
  readonly sweep: RequestTemplate | undefined;
  readonly paging: Paging;
  readonly split: (raw: RawRecord) => readonly RawRecord[];
  readonly judge: Judge;
  readonly bound: BoundFormat;
  readonly details?: ReturnType<typeof compileDetails>;
  /** A detail is JSON, whatever the list is. */
  readonly judgeDetail: Judge;
}

/** Compiles `read:` of kind http_window with `auth:`. Throws a SyntaxError for a wrong path. */
export function compileWindowPlan(spec: HttpWindowSpec, auth: AuthSpec | undefined, record: RecordSpec): WindowPlan {
  return {
    spec,
    auth,
    request: compileRequest(spec),
    sweep: spec.sweep === undefined ? undefined : compileRequest(spec, sweepQuery(spec)),
    paging: compilePaging(spec),
    split: compileSplit(record),
    judge: compileJudge(spec, compileParse(spec.reply ?? {}, record.time)),
    bound: compileBound(spec.window),
    judgeDetail: compileJudge({ ...spec, records: [] }, compileParse({}, record.time)),
    ...(spec.details === undefined ? {} : { details: compileDetails(spec.details) }),
  };
}

const tries = 5;
const backOffMs = 500;
const backOffMaxMs = 30_000;
/** Longer waits are not sat out inside of a poll. */
const longestWaitMs = 60_000;

interface Sent {
  readonly response: HttpResponse;
  readonly verdict: Verdict;
}

type Try = { readonly retry: number };

/**
 * Opens a reader for one source. `options` gives the values of templates, `secrets` those that no text may show; `auth` is what another reader
 * of the source has opened.
 */
export function openWindowReader(
  plan: WindowPlan,
  options: Scope,
  secrets: readonly string[],
  deps: ReaderDeps,
  auth?: Authenticator,
): WindowReader {
  const walker = new Walker(plan, options, secrets, deps, auth);
  const reader = {
    kind: 'http_window' as const,
    ...walker.details(),
    page: (request: PageRequest, signal: AbortSignal) => walker.page(plan.request, request, signal),
    get requestCount() {
      return walker.requestCount;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const { sweep } = plan;
  if (sweep === undefined) return reader;
  // defineProperties keeps requestCount a getter, which a spread would freeze.
  return Object.defineProperties(
    {
      sweepPage: (request: Pick<PageRequest, 'state' | 'limit'>, signal: AbortSignal) => walker.page(sweep, request, signal),
    } as WindowReader,
    Object.getOwnPropertyDescriptors(reader),
  );
}

type AnyPage = Pick<PageRequest, 'state' | 'limit'> & { readonly from?: number | undefined; readonly to?: number | undefined };

/** Asks for pages; holds the credential and counts requests. */
export class Walker {
  requestCount = 0;
  readonly auth: Authenticator;
  readonly #plan: WindowPlan;
  readonly #options: Scope;
  readonly #deps: ReaderDeps;
  readonly #secrets: readonly string[];

  constructor(plan: WindowPlan, options: Scope, secrets: readonly string[], deps: ReaderDeps, auth?: Authenticator) {
    this.#plan = plan;
    this.#options = options;
    this.#deps = deps;
    this.#secrets = secrets;
    this.auth = auth ?? openAuth(plan.auth, options, deps);
  }

  async page(template: RequestTemplate, wanted: AnyPage, signal: AbortSignal): Promise<CursorPage> {
    const limit = Math.max(1, Math.min(wanted.limit ?? Infinity, this.#plan.spec.page.size ?? wanted.limit ?? 100));
    const request = this.#request(template, wanted, limit);
    const key = `${request.url.origin} ${this.auth.fingerprint}`;
    const { response, verdict } = await this.#exchange(request, wanted.state, key, signal);
    if (verdict.isEmpty) return { records: [], next: null, serverTime: answeredAt(response.headers) };
    const reply = requireJson(verdict.parsed, response, describe(request));
    const content = this.#plan.paging(reply.value, {
      marked: reply.marked,
      url: request.url,
      headers: response.headers,
      state: wanted.state,
      limit,
      secrets: this.#allSecrets(),
    });
    return { ...this.#split(content), serverTime: answeredAt(response.headers) };
  }

  /** What asks for the details of records, where the connector says how. */
  details(): { readonly details?: DetailReader } {
    const { details, request } = this.#plan;
    if (details === undefined) return {};
    const ask = async (detail: HttpRequest, signal: AbortSignal): Promise<unknown> => {
      const key = `${detail.url.origin} ${this.auth.fingerprint}`;
      const place = { kind: 'link', path: detail.url.pathname } as const;
      const { response, verdict } = await this.#exchange(detail, place, key, signal, this.#plan.judgeDetail);
      return verdict.isEmpty ? undefined : requireJson(verdict.parsed, response, describe(detail)).value;
    };
    const list = (): URL => this.#request(request, { state: null }, 1).url;
    const { seams } = this.#deps;
    return { details: openDetails(details, { seams, options: this.#options, list, secrets: () => this.#allSecrets(), ask }) };
  }

  #split<T extends Pick<Page, 'records'>>(content: T): T & Pick<Page, 'count'> {
    const records = content.records.flatMap((record) => this.#plan.split(record));
    return records.length === content.records.length ? content : { ...content, records, count: content.records.length };
  }

  #request(template: RequestTemplate, wanted: AnyPage, limit: number): ReturnType<RequestTemplate['make']> {
    const request = template.make(this.#scope(wanted, limit), wanted.state === null);
    if (wanted.state?.kind !== 'link') return request;
    return { ...request, url: linkUrl(wanted.state.path, request.url, this.#allSecrets()) };
  }

  #scope({ from, to, state }: AnyPage, limit: number): Scope {
    const { bound, spec } = this.#plan;
    const offset = state?.kind === 'offset' ? state.offset : undefined;
    const values: Record<string, string | undefined> = {
      'window.from': from === undefined ? undefined : bound(from, 'from'),
      'window.to': to === undefined ? undefined : bound(to, 'to'),
      'page.limit': String(limit),
      'page.offset': String(offset ?? 0),
      'page.number': String(offset ?? spec.page.first ?? 1),
      'page.token': state?.kind === 'token' ? state.token : undefined,
    };
    return (name) => (Object.hasOwn(values, name) ? values[name] : this.#options(name));
  }

  /** One page's answer: waits for the budget, tries again what passes, renews a token once. */
  async #exchange(
    request: HttpRequest,
    state: PageState | null,
    key: string,
    signal: AbortSignal,
    judge: Judge = this.#plan.judge,
  ): Promise<Sent> {
    let mayRenew = true;
    const attempt = async (): Promise<Sent> => {
      const sent = await this.#send(request, key, signal, judge);
      const { response, verdict } = sent;
      if (verdict.isReply || verdict.isEmpty) return sent;
      const isRefused = verdict.meaning === 'refused' || (verdict.meaning === undefined && verdict.status === 401);
      if (isRefused && mayRenew && this.auth.renew()) {
        mayRenew = false;
        return attempt();
      }
      throw this.#refusal(request, response, verdict, state);
    };
    return pRetry(attempt, {
      retries: tries - 1,
      // The waiting is done below, on the clock that the seams provide.
      minTimeout: 0,
      signal,
      shouldRetry: ({ error }) => isWorthRetrying(error),
      onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
        if (retriesLeft > 0 && isWorthRetrying(error)) await this.#wait(error, { retry: attemptNumber - 1 }, signal);
      },
    });
  }

  async #send(request: HttpRequest, key: string, signal: AbortSignal, judge: Judge): Promise<Sent> {
    const { http, limit, budget, seams, userAgent } = this.#deps;
    const proof = await this.auth.headers(signal);
    await limit(key, signal);
    this.requestCount += 1;
    const response = await http.request({
      ...request,
      headers: { 'user-agent': userAgent, ...request.headers, ...proof },
      signal,
    });
    const verdict = judge(response);
    const isRateLimited = verdict.meaning === 'rate_limit' || response.status === 503;
    const news = budgetNews(response.headers, seams.clock, isRateLimited);
    if (news !== undefined) budget(key, news);
    return { response, verdict };
  }

  async #wait(error: Error, { retry }: Try, signal: AbortSignal): Promise<void> {
    const { seams, log } = this.#deps;
    const asked = error instanceof PenstockError ? (error.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(asked, fullJitterMs(seams.random, retry, backOffMs, backOffMaxMs));
    log.debug({ err: error, waitMs }, 'retrying the request');
    await sleep(seams.clock, waitMs, signal);
  }

  #refusal(request: HttpRequest, response: HttpResponse, verdict: Verdict, state: PageState | null): PenstockError {
    const secrets = createSecrets();
    for (const secret of this.#allSecrets()) secrets.add(secret);
    const location = response.status >= 300 && response.status < 400 ? response.headers['location'] : undefined;
    return refusalError({
      status: verdict.status,
      meaning: verdict.meaning,
      words: vendorWords(response, (text) => secrets.scrub(text)),
      request: describe(request),
      at: state === null ? 'first' : state.kind === 'offset' ? 'offset' : 'cursor',
      retryAfterMs: retryAfterMs(response.headers, this.#deps.seams.clock),
      hints: this.#plan.spec.hints ?? {},
      redirect: location === undefined ? undefined : (URL.parse(location, request.url.href)?.origin ?? 'nowhere'),
    });
  }

  #allSecrets(): readonly string[] {
    return [...this.#secrets, ...this.auth.secrets()];
  }
}

function isWorthRetrying(error: Error): boolean {
  if (!(error instanceof PenstockError)) return false;
  if ((error.retryAfterMs ?? 0) > longestWaitMs) return false;
  return consequenceOf(error).request === 'again';
}

function describe({ method, url }: HttpRequest): string {
  return `${method} ${url.origin}${url.pathname}`;
}
