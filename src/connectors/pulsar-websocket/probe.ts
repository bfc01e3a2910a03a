import { asPenstockError, PenstockError } from '../../base/errors.ts';
import { isObject } from '../../base/json.ts';
import { formatDuration, formatSize } from '../../base/quantity.ts';
import { jsonOf } from '../../http/index.ts';
import type { StreamProbe } from '../connector.ts';
import type { Subscription } from './address.ts';
import { type Dialling, openWebSocket } from './handshake.ts';

interface Probing {
  readonly dialling: Dialling;
  readonly subscription: string;
  /** Address of the admin API; undefined when it is not configured. */
  readonly admin: string | undefined;
  readonly token: string | undefined;
}

/**
 * Learns about a topic without taking a message. The admin API, where it is configured and answers, goes first: a broker that makes topics
 * by itself would make a misspelt one when we connect. Then a reader connects and disconnects, which leaves no subscription. With `create`
 * a consumer in pull mode connects instead, which makes the subscription at the latest message and is sent nothing.
 */
export async function probeTopic(
  target: Subscription,
  probing: Probing,
  create: boolean,
  signal: AbortSignal,
): Promise<StreamProbe> {
  const findings: string[] = [];
  try {
    const admin = await askAdmin(target, probing, signal);
    if (admin.isMissing) throw missing(target.topic);
    await touch(create ? pullingOf(target) : readerOf(target, probing.subscription), probing.dialling, signal);
    findings.push(`topic ${target.topic} exists and the token may read it`);
    findings.push(subscriptionLine(target.topic, probing.subscription, admin.subscriptions, create), ...admin.policies);
    return { findings };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const fault = create ? asPenstockError(thrown) : explainReader(asPenstockError(thrown));
    return { findings: [...findings, fault.message], fault };
  }
}

// Pulsar 3.0 answers 500 to a reader whatever the reason is; a consumer is told 404, 403 or 409.
function explainReader(error: PenstockError): PenstockError {
  if (error.status !== 500) return error;
  return new PenstockError(error.code, `${error.message}; brokers answer so when the topic does not exist`, {
    status: 500,
    cause: error,
    fix: 'create the topic if it does not exist; check --create-subscription, or the option with the address of the admin API, gives a clearer answer',
  });
}

function missing(topic: string): PenstockError {
  return new PenstockError('PEN_SOURCE_UNAVAILABLE', `topic ${topic} does not exist`, {
    status: 404,
    fix: 'create the topic, or correct its name; then run check with --create-subscription before anything is published to it',
  });
}

async function touch(target: Subscription, dialling: Dialling, signal: AbortSignal): Promise<void> {
  const socket = await openWebSocket(target, dialling, signal);
  socket.terminate();
}

function readerOf({ topic, url, headers }: Subscription, subscription: string): Subscription {
  const reader = new URL(url);
  reader.pathname = url.pathname.replace('/consumer/', '/reader/').replace(/\/[^/]*$/, '');
  reader.search = '';
  reader.searchParams.set('readerName', `${subscription}-check`);
  reader.searchParams.set('messageId', 'latest');
  const token = url.searchParams.get('token');
  if (token !== null) reader.searchParams.set('token', token);
  return { topic, url: reader, headers };
}

function pullingOf({ topic, url, headers }: Subscription): Subscription {
  const pulling = new URL(url);
  pulling.searchParams.set('pullMode', 'true');
  return { topic, url: pulling, headers };
}

/** What the admin API says; all of it may be unknown. */
interface AdminFacts {
  readonly isMissing: boolean;
  /** Names of the topic's subscriptions, or why they are not known. */
  readonly subscriptions: readonly string[] | string;
  readonly policies: readonly string[];
}

async function askAdmin({ topic }: Subscription, probing: Probing, signal: AbortSignal): Promise<AdminFacts> {
  if (probing.admin === undefined) return { isMissing: false, subscriptions: 'the options name no admin API', policies: [] };
  const [domain, names = ''] = topic.split('://');
  const path = names.split('/').map(encodeURIComponent);
  const namespace = `namespaces/${path.slice(0, 2).join('/')}`;
  const ask = adminCalls(probing.admin, probing, signal);
  const [{ isMissing, subscriptions }, ...policies] = await Promise.all([
    askSubscriptions(() => ask(`${domain}/${path.join('/')}/subscriptions`)),
    told('the retention', async () => retentionLines(await ask(`${namespace}/retention`))),
    told('the backlog quota', async () => quotaLines(await ask(`${namespace}/backlogQuotaMap`))),
    told('the time to live', async () => lifetimeLines(await ask(`${namespace}/messageTTL`))),
    told('when subscriptions expire', async () => expiryLines(await ask(`${namespace}/subscriptionExpirationTime`))),
  ]);
  return { isMissing, subscriptions, policies: [...policies.flatMap(({ lines }) => lines), ...untold(policies)] };
}

/** A reply of null, an empty body and 204 all mean: not set here. */
function adminCalls(admin: string, { token, dialling }: Probing, signal: AbortSignal): (what: string) => Promise<unknown> {
  const headers = {
    accept: 'application/json',
    'user-agent': dialling.userAgent,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return async (what) => {
    const url = new URL(`${admin.replace(/\/+$/, '')}/admin/v2/${what}`);
    const limits = { timeoutMs: 30_000, maxBytes: 1_000_000 };
    const { status, body, headers: named } = await dialling.http.request({ method: 'GET', url, headers, ...limits, signal });
    const said = body.toString('utf8');
    // A service that lacks the call answers 404 too, in other words.
    if (status === 404 && /topic\b.*not found/i.test(said)) throw new PenstockError('PEN_NOT_FOUND', 'there is no such topic');
    if (status !== 200 && status !== 204) throw new PenstockError('PEN_SOURCE_UNAVAILABLE', `it answered ${status}`, { status });
    return said === '' ? null : replyOf({ body, headers: named });
  };
}

function replyOf(response: Parameters<typeof jsonOf>[0]): unknown {
  const reply = jsonOf(response);
  if (reply === undefined) throw new PenstockError('PEN_SOURCE_BAD_REPLY', 'it answered with a body that is not JSON');
  return reply;
}

async function askSubscriptions(ask: () => Promise<unknown>): Promise<Pick<AdminFacts, 'isMissing' | 'subscriptions'>> {
  try {
    const reply = await ask();
    const names = Array.isArray(reply) ? reply.filter((name) => typeof name === 'string') : 'the answer is not a list';
    return { isMissing: false, subscriptions: names };
  } catch (error) {
    if (!(error instanceof PenstockError || error instanceof SyntaxError)) throw error;
    return { isMissing: error instanceof PenstockError && error.code === 'PEN_NOT_FOUND', subscriptions: error.message };
  }
}

interface Told {
  readonly lines: readonly string[];
  /** What it was about and why it is not known. */
  readonly gap?: { readonly what: string; readonly why: string };
}

// A hosted service offers part of the admin API only, and reading policies takes more rights than consuming: no reason to fail.
async function told(what: string, ask: () => Promise<string[]>): Promise<Told> {
  try {
    return { lines: await ask() };
  } catch (error) {
    if (!(error instanceof PenstockError || error instanceof SyntaxError)) throw error;
    return { lines: [], gap: { what, why: error.message } };
  }
}

/** One line for each reason. */
function untold(answers: readonly Told[]): string[] {
  const gaps = Map.groupBy(
    answers.flatMap(({ gap }) => (gap === undefined ? [] : [gap])),
    ({ why }) => why,
  );
  return [...gaps].map(([why, missing]) => `the admin API does not say ${missing.map(({ what }) => what).join(', ')}: ${why}`);
}

function subscriptionLine(topic: string, name: string, known: readonly string[] | string, created: boolean): string {
  const which = `subscription "${name}" of ${topic}`;
  if (typeof known === 'string') {
    if (created) return `${which} exists; if it was made just now, it keeps what is published from now on`;
    return `warning: whether ${which} exists is not known: ${known}; check --create-subscription makes sure`;
  }
  if (known.includes(name)) return `${which} exists: what is published waits there until it is collected`;
  if (created) return `${which} was made: it keeps what is published from now on`;
  return `warning: ${which} does not exist, and nothing is kept for it; make it with check --create-subscription before the exporter is switched on`;
}

function retentionLines(reply: unknown): string[] {
  const minutes = isObject(reply) ? reply['retentionTimeInMinutes'] : 0;
  if (typeof minutes === 'number' && minutes !== 0) return [];
  return ['warning: retention is off: what is published while the subscription does not exist is lost'];
}

function quotaLines(reply: unknown): string[] {
  const quotas = isObject(reply) ? Object.values(reply).filter(isObject) : [];
  return quotas.flatMap((quota) => {
    const [bytes, seconds] = [quota['limitSize'] ?? quota['limit'], quota['limitTime']];
    const reached = [
      ...(typeof bytes === 'number' && bytes > 0 ? [formatSize(bytes)] : []),
      ...(typeof seconds === 'number' && seconds > 0 ? [formatDuration(seconds * 1000)] : []),
    ];
    if (reached.length === 0) return [];
    const unread = `when ${reached.join(' or ')} of messages wait unread`;
    if (quota['policy'] === 'consumer_backlog_eviction')
      return [`warning: ${unread}, the oldest are deleted: set the quota's policy to producer_exception`];
    return [
      `warning: ${unread}, nothing more can be published and the vendor may drop events: do not leave the subscription unread`,
    ];
  });
}

function lifetimeLines(reply: unknown): string[] {
  return typeof reply === 'number' && reply > 0
    ? [`warning: messages unread for ${formatDuration(reply * 1000)} are deleted: keep the time to live longer than any outage`]
    : [];
}

// In minutes; 0 is never.
function expiryLines(reply: unknown): string[] {
  if (typeof reply !== 'number' || reply <= 0) return [];
  return [`warning: a subscription that nobody reads for ${formatDuration(reply * 60_000)} is deleted with all that waits in it`];
}
