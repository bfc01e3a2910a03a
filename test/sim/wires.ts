// Receivers at the level of bytes: Splunk's HEC with and without acknowledgements, a bulk API, syslog over TCP and UDP, and RELP. The real sink speaks
// with them over a client of HTTP, or sockets, that lose, delay and cut what travels.
import { hash } from 'node:crypto';
import { PenstockError } from '../../src/base/errors.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../../src/http/client.ts';
import { sinkTypes } from '../../src/sinks/index.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import type { Copy, Letter, ReceiverParts, Sender, SinkProcess } from './receivers.ts';
import { type Endpoint, minute, type Wire } from './scenario.ts';
import { type Wire as Line, type Peer, route, socketTable } from './sockets.ts';
import { datagramPeer, plainPeer, relpPeer, type SyslogParts } from './syslog-wires.ts';

interface WireParts extends ReceiverParts {
  /** Notes an arrival. */
  readonly keep: (letter: Letter, sender: Sender) => Copy;
  /** Notes the bytes of a batch by its id. */
  readonly compare: (id: string, body: string) => void;
  readonly travel: <T>(
    process: SinkProcess,
    signal: AbortSignal | undefined,
    take: (sender: Sender) => T,
    endpoint?: Endpoint,
  ) => Promise<T>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the sender knows to be taken once it has the answer. */
  readonly tells?: readonly Copy[];
  /** It knows from then on that nothing will be acknowledged. */
  readonly teaches?: boolean;
  /** Told when the sender has it. */
  readonly onHeard?: () => void;
}

/** One opening of the sink. */
interface Session {
  knowsOfNoAcks: boolean;
}

interface Server {
  take(request: HttpRequest, sender: Sender, session: Session): Answer;
  /** Told when a batch leaves, and then whether its sender cannot know if it was taken. */
  onSent?(request: HttpRequest): (isLost: boolean) => void;
}

interface Parsed {
  readonly metadata: { readonly uid: string; readonly labels: readonly string[] };
}

function letterOf(event: Parsed, batch: string): Letter {
  const { uid, labels } = event.metadata;
  const source = labels.find((label) => label.startsWith('source:'))?.slice('source:'.length) ?? '';
  return { uid, source, replay: labels.includes('replayed'), batch, text: JSON.stringify(event) };
}

/** What goes wrong with any request before its events are looked at; undefined: nothing. */
function trouble({ strikes, dice, plan }: WireParts, size: number, refused: Answer): Answer | undefined {
  if (strikes('down')) throw new PenstockError('PEN_HTTP_UNREACHABLE', 'connection refused', { sent: false });
  if (strikes('hold')) return refused;
  const busy = { status: 503, body: { text: 'Server is busy', code: 9 } };
  if (strikes('busy')) return { ...busy, headers: { 'retry-after': dice.pick(['0', '1', '30']) } };
  if (strikes('partial') && dice.chance(0.4)) return busy;
  if (size > (plan.mostEvents ?? Infinity)) return { status: 413, body: 'Request Entity Too Large' };
  return undefined;
}

function keepHalf({ keep, refuses }: WireParts, letters: readonly Letter[], sender: Sender): never {
  for (const letter of letters.slice(0, Math.ceil(letters.length / 2))) if (!refuses(letter.uid)) keep(letter, sender);
  throw new PenstockError('PEN_HTTP_RESET', 'the connection was reset');
}

interface Queued {
  /** Infinity: its acknowledgement never comes. */
  readonly at: number;
  readonly copies: readonly Copy[];
  /** How many answers of the channel had been lost when the sender had this one; Infinity: it never had, or gave it up. */
  lostBefore: number;
}

interface Channel {
  next: number;
  readonly waiting: Map<number, Queued>;
}

/** Splunk's HTTP Event Collector: a body is read event by event up to the first bad one; `true` is said once. */
function hec(parts: WireParts, acknowledges: boolean): Server {
  const { strikes, time, dice, keep, refuses } = parts;
  const channels = new Map<string, Channel>();
  /** By channel: answers that were lost, and batches under way whose may get lost. */
  const lost = new Map<string, number>();
  const underWay = new Map<string, number>();
  const heard = new Map<string, Map<number, Queued>>();
  let isNew = false;
  const idOf = (request: HttpRequest): string => request.headers?.['x-splunk-request-channel'] ?? '';
  const channelOf = (request: HttpRequest): Channel => {
    const id = idOf(request);
    const known = channels.get(id) ?? { next: 0, waiting: new Map() };
    channels.set(id, known);
    return known;
  };
  /** An id that comes again says that the count began anew: whatever has one is given up. */
  const hears = (id: string, ackId: number, entry: Queued): void => {
    const known = heard.get(id) ?? new Map<number, Queued>();
    heard.set(id, known);
    entry.lostBefore = known.has(ackId) ? Infinity : (lost.get(id) ?? 0);
    if (known.has(ackId)) for (const each of known.values()) each.lostBefore = Infinity;
    if (known.has(ackId)) known.clear();
    known.set(ackId, entry);
  };
  const queued = (request: HttpRequest, copies: readonly Copy[], isKept: boolean): Answer => {
    if (!acknowledges) return { status: 200, body: { text: 'Success', code: 0 }, tells: copies, teaches: true };
    const channel = channelOf(request);
    const ackId = channel.next++;
    const at = isKept && !strikes('never') ? time.now() + dice.between(500, 20_000) : Infinity;
    const entry: Queued = { at, copies, lostBefore: Infinity };
    channel.waiting.set(ackId, entry);
    const onHeard = (): void => hears(idOf(request), ackId, entry);
    return { status: 200, body: { text: 'Success', code: 0, ackId }, onHeard };
  };
  /** An acknowledgement tells nothing where the id may be that of a batch whose answer was lost by the time it comes. */
  const tell = (id: string, ackId: number, { copies, lostBefore }: Queued): void => {
    if (lostBefore === Infinity || (lost.get(id) ?? 0) - lostBefore + (underWay.get(id) ?? 0) > ackId) return;
    for (const copy of copies) copy.doubt = false;
  };
  const acks = (request: HttpRequest): Answer => {
    if (!acknowledges) return { status: 400, body: { text: 'ACK is disabled', code: 14 }, teaches: true };
    const { waiting } = channelOf(request);
    const { acks: asked } = JSON.parse(String(request.body)) as { acks: number[] };
    const done = new Map([...waiting].filter(([ackId, { at }]) => asked.includes(ackId) && at <= time.now()));
    for (const ackId of done.keys()) waiting.delete(ackId);
    const onHeard = (): void => {
      for (const [ackId, entry] of done) tell(idOf(request), ackId, entry);
    };
    return { status: 200, body: { acks: Object.fromEntries(asked.map((ackId) => [ackId, done.has(ackId)])) }, onHeard };
  };
  /** What it takes from now on is kept; what it had said it would acknowledge is not known any more. */
  const restart = (request: HttpRequest): Answer => {
    const answer = queued(request, [], false);
    channels.clear();
    isNew = true;
    return answer;
  };
  const take = (request: HttpRequest, sender: Sender, session: Session): Answer => {
    if (request.url.pathname.endsWith('/ack')) return trouble(parts, 0, invalidToken) ?? acks(request);
    const text = Buffer.from(request.body ?? '').toString();
    const batch = hash('sha256', text);
    const letters = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => letterOf((JSON.parse(line) as { event: Parsed }).event, batch));
    const failed = trouble(parts, letters.length, invalidToken);
    if (failed !== undefined) return failed;
    if (strikes('half')) keepHalf(parts, letters, sender);
    if (strikes('forget'))
      return acknowledges ? queued(request, [], false) : { status: 500, body: { text: 'Internal server error', code: 8 } };
    if (acknowledges && strikes('restart')) return restart(request);
    if (strikes('refuse_all')) return { status: 400, body: { text: 'Incorrect index', code: 7, 'invalid-event-number': 0 } };
    const copies: Copy[] = [];
    for (const [at, letter] of letters.entries()) {
      if (refuses(letter.uid)) {
        const body = { text: 'Invalid data format', code: 6, 'invalid-event-number': at };
        return { status: 400, body, tells: session.knowsOfNoAcks ? copies : [] };
      }
      if (!strikes('lie')) copies.push(keep(letter, sender));
    }
    const answer = queued(request, copies, true);
    isNew &&= dice.chance(0.5);
    if (isNew) throw new PenstockError('PEN_HTTP_RESET', 'the connection was reset before the answer');
    return answer;
  };
  const count = (counts: Map<string, number>, id: string, by: number): void => void counts.set(id, (counts.get(id) ?? 0) + by);
  return {
    take,
    onSent(request) {
      const id = idOf(request);
      count(underWay, id, 1);
      return (isLost) => {
        count(underWay, id, -1);
        if (isLost) count(lost, id, 1);
      };
    },
  };
}

const invalidToken: Answer = { status: 403, body: { text: 'Invalid token', code: 4 } };
const unauthorized: Answer = { status: 401, body: { error: { type: 'security_exception', reason: 'missing credentials' } } };

/** The bulk API: a result for each event; an id that is there already is a conflict. */
function bulk(parts: WireParts): Server {
  const { strikes, dice, keep, refuses, compare } = parts;
  const known = new Set<string>();
  const take = (request: HttpRequest, sender: Sender): Answer => {
    const text = Buffer.from(request.body ?? '').toString();
    const id = request.headers?.['idempotency-key'] ?? '';
    compare(`${id} ${text.startsWith('{"index"') ? 'index' : 'create'}`, text);
    const lines = text.split('\n').filter((line) => line !== '');
    const letters = lines.flatMap((line, at) => {
      if (at % 2 === 0) return [];
      const { '@timestamp': _, ...event } = JSON.parse(line) as Parsed & { '@timestamp': string };
      return letterOf(event, id);
    });
    const failed = trouble(parts, letters.length, unauthorized);
    if (failed !== undefined) return failed;
    if (strikes('half')) keepHalf(parts, letters, sender);
    if (strikes('forget')) return { status: 502, body: 'Bad Gateway' };
    const refuseAll = strikes('refuse_all');
    const tells: Copy[] = [];
    const items = letters.map((letter, at) => {
      const action = Object.keys(JSON.parse(lines[2 * at] ?? '{}') as object)[0] ?? '';
      const error = (status: number, type: string, reason: string) => ({ [action]: { status, error: { type, reason } } });
      if (refuseAll) return error(404, 'index_not_found_exception', 'no such index [audit]');
      if (refuses(letter.uid)) return error(400, 'mapper_parsing_exception', 'failed to parse field [time]');
      if (dice.chance(0.01)) return error(429, 'es_rejected_execution_exception', 'rejected execution');
      const isConflict = known.has(letter.uid) && action === 'create';
      if (!strikes('lie')) tells.push(keep(letter, sender));
      known.add(letter.uid);
      return isConflict
        ? error(409, 'version_conflict_engine_exception', 'document already exists')
        : { [action]: { status: 201, result: 'created' } };
    });
    return { status: 200, body: { errors: items.some((item) => JSON.stringify(item).includes('"error"')), items }, tells };
  };
  return { take };
}

const endpointOf = ({ url }: Pick<HttpRequest, 'url'>): Endpoint => (url.hostname.startsWith('a.') ? 'a' : 'b');

function clientOf(serverOf: (endpoint: Endpoint) => Server, { travel }: WireParts, process: SinkProcess): HttpClient {
  // What one endpoint said says nothing of another.
  const sessions = new Map<string, Session>();
  return {
    async request(request): Promise<HttpResponse> {
      const session = sessions.get(request.url.origin) ?? { knowsOfNoAcks: false };
      sessions.set(request.url.origin, session);
      const endpoint = endpointOf(request);
      const server = serverOf(endpoint);
      const ended = request.url.pathname.endsWith('/ack') ? undefined : server.onSent?.(request);
      const take = (sender: Sender): Answer => server.take(request, sender, session);
      const answer = await travel(process, request.signal, take, endpoint).catch((error: unknown) => {
        ended?.(!(error instanceof PenstockError) || error.sent);
        throw error;
      });
      ended?.(false);
      const { status, headers = {}, body, tells = [], teaches = false } = answer;
      answer.onHeard?.();
      session.knowsOfNoAcks ||= teaches;
      for (const copy of tells) copy.doubt = false;
      return { status, headers, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) };
    },
    describeRoute: () => 'direct',
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const syslogs: ReadonlySet<Wire> = new Set(['syslog', 'syslog_octets', 'syslog_udp', 'relp']);

function peerOf(wire: Wire, line: Line, parts: SyslogParts): Peer {
  if (wire === 'relp') return relpPeer(line, parts);
  return wire === 'syslog_udp' ? datagramPeer(parts) : plainPeer(wire === 'syslog' ? 'lf' : 'octet_counting', line, parts);
}

/** What leads to the receiver: a name, or for datagrams, whose sender asks for the address itself, an address. */
function hostOf(wire: Wire, name: string): string {
  return wire === 'syslog_udp' ? `192.0.2.${1 + (Number(/\d+$/.exec(name)?.[0] ?? 0) % 254)}` : `${name}.syslog.test`;
}

function addressOf(wire: Wire, host: string) {
  if (wire === 'relp') return { address: `relp://${host}:514` };
  if (wire === 'syslog_udp') return { address: `udp://${host}:514`, max_message: '64KB', rate: 1000 };
  return { address: `tcp://${host}:514`, framing: wire === 'syslog' ? 'lf' : 'octet_counting' };
}

/** The real sink for syslog; its sockets lead to the receiver. */
function openSyslog(wire: Wire, parts: WireParts): (process: SinkProcess) => Promise<Sink> {
  const { time, dice, strikes, keep, refuses, problem, plan } = parts;
  const host = hostOf(wire, plan.name);
  return async ({ fate, number, seams, log }) => {
    const own = { strikes, keep, refuses, problem, process: number };
    route(host, {
      time,
      dice,
      strikes,
      isAlive: () => !fate.dead,
      accept: (line) => peerOf(wire, line, own),
    });
    const files = new Proxy(seams.files, {
      get: (target, name, self) =>
        name === 'readFile' ? () => Promise.resolve(socketTable()) : (Reflect.get(target, name, self) as unknown),
    });
    const options = {
      rfc: 5424,
      facility: 13,
      app_name: 'penstock',
      enterprise_number: 32_473,
      bom: false,
      max_message: '1MiB',
      oversize: 'refuse',
      resend_window: 20,
      ...addressOf(wire, host),
    };
    const sink = await openType('syslog', options, { fate, number, seams: { ...seams, files }, log }, parts);
    return {
      ...sink,
      async send(batch, signal) {
        await fate.step();
        const verdicts = await sink.send(batch, signal);
        await fate.step();
        return verdicts;
      },
    };
  };
}

async function openType(
  name: string,
  options: Readonly<Record<string, unknown>>,
  { number, seams, log }: SinkProcess,
  { plan }: WireParts,
  http?: HttpClient,
): Promise<Sink> {
  const type = sinkTypes[name];
  if (type === undefined) throw new Error(`no sink ${name}`);
  const unused: HttpClient = http ?? ({} as HttpClient);
  const own = { name: plan.name, http: unused, seams, log, hostname: 'sim', version: '0', format: 'ocsf' as const };
  const { pid } = process;
  // Syslog says the number of its process: the simulated one, or a run would depend on how long the real one is.
  Object.defineProperty(process, 'pid', { value: 1000 + number, configurable: true });
  const opening = type.open(options, { ...own, timeoutMs: minute / 2 });
  Object.defineProperty(process, 'pid', { value: pid, configurable: true });
  return await opening;
}

/** Opens the real sink that speaks the protocol, for each process anew, to one receiver that outlives them. */
export function openWire(wire: Wire, parts: WireParts): (process: SinkProcess) => Promise<Sink> {
  if (syslogs.has(wire)) return openSyslog(wire, parts);
  const open = (own: WireParts): Server => (wire === 'bulk' ? bulk(own) : hec(own, wire === 'hec_ack'));
  const at = (endpoint: Endpoint): WireParts => ({ ...parts, strikes: (kind) => parts.strikes(kind, endpoint) });
  const [a, b] = parts.plan.apart === true ? [open(at('a')), open(at('b'))] : Array<Server>(2).fill(open(parts));
  const serverOf = (endpoint: Endpoint): Server => (endpoint === 'a' ? a : b) as Server;
  const endpoints = parts.plan.inFlight > 1 ? ['https://a.test', 'https://b.test'] : ['https://a.test'];
  const options =
    wire === 'bulk'
      ? { preset: 'opensearch', url: 'https://a.test', index: 'audit', method: 'POST' }
      : {
          endpoints,
          token: 'hec-token',
          acknowledge: 'auto',
          ack_poll: '10s',
          ack_timeout: '3m',
          compression: 'none',
          max_event_bytes: '5MB',
        };
  return (process) =>
    openType(wire === 'bulk' ? 'http' : 'splunk_hec', options, process, parts, clientOf(serverOf, parts, process));
}
