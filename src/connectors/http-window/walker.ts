import pRetry from 'p-retry';
import { sleep } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { fullJitterMs } from '../../base/random.ts';
import { createSecrets } from '../../base/secrets.ts';
import { type Wait, Waits } from '../../base/waits.ts';
import type { HttpRequest, HttpResponse } from '../../http/client.ts';
import { answeredAt } from '../../http/index.ts';
import { type Authenticator, openAuth } from '../auth.ts';
import type { CursorPage, DetailReader, Page, PageRequest, PageState, ReaderDeps, WindowReader } from '../connector.ts';
import { splitAll } from '../record-rules.ts';
import type { Scope } from '../template.ts';
import { askedWaitMs, budgetNews } from './budget-news.ts';
import { type Answered, linked, openDetails } from './details.ts';
import { Groups } from './groups.ts';
import { describe, isWorthRetrying, type Judge, type Judgement, refusalError } from './judge.ts';
import { linkUrl } from './links.ts';
import { type AnyPage, promised, scopeOfPage } from './page-scope.ts';
import { endOf, type WholePage } from './paging.ts';
import { goneMeanwhile, notReady } from './pending.ts';
import type { WindowPlan } from './plan.ts';
import { requireJson, vendorWords } from './reply.ts';
import { type RequestTemplate } from './request.ts';
import { followed, type StoredRequest, storedRequest } from './storage.ts';

const tries = 5;
const backOffMs = 500;
const backOffMaxMs = 30_000;

interface Sent {
  readonly response: HttpResponse;
  readonly judged: Judgement;
}

/** Asks for pages; holds the credential and counts requests. */
export class Walker implements AsyncDisposable {
  requestCount = 0;
  readonly auth: Authenticator;
  readonly #plan: WindowPlan;
  readonly #options: Scope;
  readonly #deps: ReaderDeps;
  readonly #secrets: readonly string[];
  readonly #isAuthOwn: boolean;
  readonly #waits: Waits;
  /** True once a page named the one after it by a token or link. */
  #isPaged = false;
  /** Names of columns that the last page told or was read with. */
  #names: readonly string[] | undefined;
  /** What the last reply takes of the memory for replies. */
  #held = new DisposableStack();

  constructor(plan: WindowPlan, options: Scope, secrets: readonly string[], deps: ReaderDeps, auth?: Authenticator) {
    this.#plan = plan;
    this.#options = options;
    this.#deps = deps;
    this.#secrets = secrets;
    this.auth = auth ?? openAuth(plan.auth, options, deps);
    this.#isAuthOwn = auth === undefined;
    this.#waits = deps.waits ?? new Waits(deps.seams.clock, () => '');
  }

  /** What was read last is stored or given up. The next request says so too. */
  rest(): void {
    this.#held.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.rest();
    if (this.#isAuthOwn) await this.auth[Symbol.asyncDispose]();
  }

  /** A page, its records cut into events. */
  async page(template: RequestTemplate, wanted: AnyPage, signal: AbortSignal): Promise<CursorPage> {
    return this.#split(await this.#whole(template, wanted, signal));
  }

  async #whole(template: RequestTemplate, wanted: AnyPage, signal: AbortSignal): Promise<WholePage> {
    const limit = Math.max(1, Math.min(wanted.limit ?? Infinity, this.#plan.spec.page.size ?? wanted.limit ?? 100));
    const request = this.#request(template, wanted, limit);
    const key = `${request.url.origin} ${this.auth.fingerprint}`;
    const { response, judged, asked } = await this.#answer(request, wanted.state, key, signal);
    // A page was promised: what says by its status that nothing is there takes the promise back.
    if (judged.isEmpty && wanted.isPromised === true && response.status >= 300)
      throw this.#refusal(request, response, { ...judged, meaning: 'page_token_refused' }, wanted.state);
    if (judged.isEmpty)
      return { records: [], next: null, ...endOf(wanted.state, this.#plan.spec.page), serverTime: answeredAt(response.headers) };
    const reply = requireJson(judged.parsed, response, describe(request), wanted.isPromised !== undefined);
    const paging = asked.isStored === true ? this.#plan.filePaging : this.#plan.paging;
    const { names, ...page } = paging(reply.value, {
      marked: reply.marked,
      url: asked.url,
      status: response.status,
      headers: response.headers,
      state: wanted.state,
      names: wanted.state === null ? undefined : this.#names,
      limit,
      isPaged: this.#isPaged,
      secrets: this.#allSecrets(),
    });
    [this.#names, this.#isPaged] = [names, this.#isPaged || (page.next !== null && page.next.kind !== 'offset')];
    const whole = { ...page, serverTime: asked.isStored === true ? undefined : answeredAt(response.headers) };
    return this.#plan.newestFirst?.(whole, wanted) ?? whole;
  }

  /** What reads a page of a window, group by group where the connector has groups. */
  pages(): Pick<WindowReader, 'page' | 'passGroup'> {
    const { spec, request, groups } = this.#plan;
    if (groups === undefined || spec.groups === undefined)
      return { page: (wanted, signal) => this.page(request, promised(wanted), signal) };
    const lister = new Walker(groups, this.#options, this.#secrets, this.#deps, this.auth);
    const counted = async <T>(work: Promise<T>): Promise<T> => {
      try {
        return await work;
      } finally {
        this.requestCount += lister.requestCount;
        lister.requestCount = 0;
        lister.rest();
      }
    };
    const list = ({ from, to, state }: PageRequest, signal: AbortSignal): Promise<Page> =>
      counted(lister.page(groups.request, { from, to, state }, signal));
    const page = (wanted: PageRequest, group: Json, signal: AbortSignal): Promise<WholePage> =>
      this.#whole(request, { ...promised(wanted), group }, signal);
    const isStored = (link: string): boolean =>
      this.#plan.storage(this.#options).at(link, new URL(request.origin(this.#options))) !== undefined;
    const reading = new Groups(spec.groups, { list, page, isStored, maxPages: spec.max_pages ?? 10_000 });
    return {
      page: async (wanted, signal) => this.#split(await reading.page(wanted, signal)),
      passGroup: (state, lacking) => reading.passed(state, lacking),
    };
  }

  /** What asks for the details of records, where the connector says how. */
  details(): { readonly details?: DetailReader } {
    const { details, request, groups } = this.#plan;
    if (details === undefined) return {};
    const ask = async (detail: StoredRequest, signal: AbortSignal): Promise<Answered> => {
      const key = `${detail.url.origin} ${this.auth.fingerprint}`;
      const place = { kind: 'link', path: detail.url.pathname } as const;
      const { response, judged } = await this.#answer(detail, place, key, signal, this.#plan.judgeDetail);
      const value = judged.isEmpty ? undefined : requireJson(judged.parsed, response, describe(detail)).value;
      return { value, bytes: response.body.length };
    };
    // A record does not say which group's list it comes from: all of them have one origin.
    const list = (): URL =>
      groups === undefined ? this.#request(request, { state: null }, 1).url : new URL(request.origin(this.#options));
    const { seams } = this.#deps;
    return { details: openDetails(details, { seams, options: this.#options, list, secrets: () => this.#allSecrets(), ask }) };
  }

  #split(page: WholePage): CursorPage {
    const { split } = this.#plan;
    return split === undefined ? page : { ...page, records: splitAll(split, page.records), count: page.records.length };
  }

  #request(template: RequestTemplate, wanted: AnyPage, limit: number): StoredRequest {
    const request = template.make(
      scopeOfPage({ ...wanted, limit }, this.#plan, this.#options, this.#allSecrets()),
      wanted.state === null,
    );
    const { groupLink, storage } = this.#plan;
    if (groupLink !== undefined && wanted.group !== undefined && wanted.state?.kind !== 'link') {
      const target = groupLink(wanted.group);
      const stored = storage(this.#options).at(target, request.url);
      if (stored !== undefined) return storedRequest(request, stored);
      return { ...request, url: linked(target, request.url, this.#allSecrets()) };
    }
    if (wanted.state?.kind !== 'link') return request;
    return { ...request, url: linkUrl(wanted.state.path, request.url, this.#allSecrets()) };
  }

  /** An answer that is ready: where the vendor says that it is not, it is asked again, as the connector says. */
  async #answer(
    request: StoredRequest,
    state: PageState | null,
    key: string,
    signal: AbortSignal,
    judge?: Judge,
  ): Promise<Sent & { readonly asked: StoredRequest }> {
    const { plan, clock } = { plan: this.#plan.pending, clock: this.#deps.seams.clock };
    const until = clock.monotonic() + plan.mostMs;
    for (let asked: StoredRequest = request; ; ) {
      const sent = await this.#exchange(asked, state, key, signal, judge).catch((error: unknown) => {
        throw asked === request ? error : goneMeanwhile(error, asked);
      });
      if (sent.judged.meaning !== 'pending') return { ...sent, asked };
      const leftMs = until - clock.monotonic();
      if (leftMs <= 0) throw notReady(describe(request), plan);
      this.rest();
      const toldMs = askedWaitMs(sent.response.headers, clock) ?? 0;
      await sleep(clock, Math.min(leftMs, Math.max(plan.everyMs, toldMs)), signal);
      const reply = 'value' in sent.judged.parsed ? sent.judged.parsed.value : undefined;
      asked = plan.again({ request: asked, response: sent.response, reply }, this.#options, this.#allSecrets());
    }
  }

  /** One page's answer: waits for the budget, tries again what passes, renews a token once. */
  async #exchange(
    request: StoredRequest,
    state: PageState | null,
    key: string,
    signal: AbortSignal,
    judge: Judge = this.#plan.judge,
  ): Promise<Sent> {
    using wait = this.#waits.begin();
    let mayRenew = request.isStored !== true;
    const attempt = async (): Promise<Sent> => {
      const sent = await this.#send(request, key, wait, signal, judge);
      const { response, judged } = sent;
      if (judged.isReply || judged.isEmpty || judged.meaning === 'pending') return sent;
      const isRefused = judged.meaning === 'refused' || (judged.meaning === undefined && judged.status === 401);
      const mayBeDated = this.auth.isDated === true && [400, 401, 403].includes(response.status);
      if ((isRefused || mayBeDated) && mayRenew && this.auth.renew(response)) {
        mayRenew = false;
        return attempt();
      }
      throw this.#refusal(request, response, judged, state);
    };
    return await pRetry(attempt, {
      retries: tries - 1,
      // The waiting is done below, on the clock that the seams provide.
      minTimeout: 0,
      signal,
      shouldRetry: ({ error }) => isWorthRetrying(error),
      onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
        if (retriesLeft > 0 && isWorthRetrying(error)) await this.#pause(error, wait, attemptNumber - 1, signal);
      },
    });
  }

  async #send(request: StoredRequest, key: string, wait: Wait, signal: AbortSignal, judge: Judge): Promise<Sent> {
    const { http, limit, budget, seams, userAgent } = this.#deps;
    this.rest();
    this.#held = new DisposableStack();
    const held = this.#held;
    wait.at('its turn under the rate limit', true);
    await limit(key, signal);
    const ask = async (asked: StoredRequest): Promise<HttpResponse> => {
      const named = { ...asked, headers: { 'user-agent': userAgent, ...asked.headers }, signal, held, wait };
      wait.at('the login to give a token');
      const proven = asked.isStored === true ? named : await this.auth.prove(named, signal);
      this.requestCount += 1;
      return http.request(proven);
    };
    const response = await followed(request, this.#plan.storage(this.#options), ask);
    const judged = await judge(response, seams.clock, signal);
    const isRefused = judged.meaning === 'rate_limit' || response.status === 503;
    const isGranted = judged.isReply || judged.isEmpty || judged.meaning === 'pending';
    const news = budgetNews(response.headers, seams.clock, { isGranted, isRefused });
    if (news !== undefined) budget(key, news);
    return { response, judged };
  }

  async #pause(error: Error, wait: Wait, retry: number, signal: AbortSignal): Promise<void> {
    const { seams, log } = this.#deps;
    const asked = error instanceof PenstockError ? (error.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(asked, fullJitterMs(seams.random, retry, backOffMs, backOffMaxMs));
    log.debug({ err: error, waitMs }, 'retrying the request');
    wait.at('its next try');
    wait.again(error);
    this.rest();
    await sleep(seams.clock, waitMs, signal);
  }

  #refusal(request: HttpRequest, response: HttpResponse, judged: Judgement, state: PageState | null): PenstockError {
    const secrets = createSecrets();
    for (const secret of this.#allSecrets()) secrets.add(secret);
    const location = response.status >= 300 && response.status < 400 ? response.headers['location'] : undefined;
    return refusalError({
      status: judged.status,
      meaning: judged.meaning,
      words: vendorWords(response, (text) => secrets.scrub(text)),
      request: describe(request),
      at: state === null ? 'first' : state.kind === 'offset' ? 'offset' : 'cursor',
      retryAfterMs: askedWaitMs(response.headers, this.#deps.seams.clock),
      hints: this.#plan.spec.hints ?? {},
      redirect: location === undefined ? undefined : (URL.parse(location, request.url.href)?.origin ?? 'nowhere'),
    });
  }

  #allSecrets(): readonly string[] {
    return [...this.#secrets, ...this.auth.secrets()];
  }
}
