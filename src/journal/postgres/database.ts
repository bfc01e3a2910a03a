// Connections to PostgreSQL. Nothing is left in a session between two statements or transactions, and no statement has a name, so that a
// pooler may hand every transaction to another connection.
import { randomUUID } from 'node:crypto';
import { Socket } from 'node:net';
import type { Pool, PoolClient } from 'pg';
import { PenstockError } from '../../base/errors.ts';
import { createSecrets } from '../../base/secrets.ts';
import { Semaphore } from '../../base/semaphore.ts';
import type { ServerState } from '../journal.ts';
import {
  answerMs,
  type ClientConfig,
  cancel,
  clientConfig,
  connectMs,
  type DatabaseOptions,
  openPool,
  statementMs,
} from './connection.ts';
import { databaseError, faultOf, isCollision, isCrowded, sqlState } from './faults.ts';

/** What runs statements: the database, each in a transaction of its own, or a transaction. */
export interface Sql {
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the row's shape is the caller's to name
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** How many rows were written. */
  run(text: string, values?: readonly unknown[]): Promise<number>;
}

type Refusal = NonNullable<ServerState['refusal']>;

/** A row that another connection holds is waited for so long, milliseconds. */
export const lockMs = 5000;
const mostTries = 6;
const readCommitted = 'BEGIN ISOLATION LEVEL READ COMMITTED';

export class Database implements Sql {
  /** The schema as it stands in statements: `${s}.pages`. */
  readonly s: string;
  /** Host, port and database, for errors. */
  readonly where: string;
  readonly #pool: Pool;
  readonly #turns: Semaphore;
  readonly #membership: Pool;
  readonly #connections: number;
  /** Of each transaction: a pooler keeps no session. */
  readonly #settings: Readonly<Record<string, string | number>>;
  readonly #ca: (() => Promise<string>) | undefined;
  readonly #tls: ClientConfig['ssl'];
  readonly #address: Pick<ClientConfig, 'host' | 'port'>;
  readonly #sockets = new Set<Socket>();
  /** The server's words may repeat what it was told. */
  readonly #secrets = createSecrets();
  /** Knows the password of the next connection: a server may repeat one before it has asked for it. */
  readonly #learnPassword: () => Promise<unknown>;
  #isCut = false;
  #refusal: Refusal | undefined;

  constructor(options: DatabaseOptions) {
    const { schema, connections, leaseMs, ca } = options;
    const config = this.#learning({ ...clientConfig(options), stream: () => this.#newSocket() });
    const { password } = config;
    this.#learnPassword = typeof password === 'function' ? async () => password() : async () => undefined;
    this.s = `"${schema.replaceAll('"', '""')}"`;
    this.where = `${config.host}:${config.port}/${config.database}`;
    this.#pool = openPool(config, connections);
    this.#turns = new Semaphore(connections);
    // An answer about the lease that comes after it is worth nothing, and the next question waits behind it.
    const heartbeatMs = Math.min(answerMs, Math.max(leaseMs, lockMs));
    this.#membership = openPool(
      { ...config, query_timeout: heartbeatMs, connectionTimeoutMillis: Math.min(connectMs, heartbeatMs) },
      // One may be claiming for long.
      2,
    );
    this.#address = config;
    this.#connections = connections;
    this.#settings = {
      statement_timeout: statementMs,
      lock_timeout: lockMs,
      // What a replica that was paused holds is another's soon after the lease.
      idle_in_transaction_session_timeout: Math.min(leaseMs, lockMs),
      jit: 'off',
    };
    this.#ca = ca;
    this.#tls = config.ssl;
  }

  /** Knows the password, which may be another one at each connection. */
  #learning<C extends Pick<ClientConfig, 'password'>>(config: C): C {
    const { password } = config;
    const learned = (value: string): string => {
      this.#secrets.addPassing(value);
      return value;
    };
    return typeof password === 'function'
      ? { ...config, password: async () => learned(await password()) }
      : { ...config, password: learned(password ?? '') };
  }

  query<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.#again(() => this.#inTurn((client) => rowsOf<Row>(client, text, values)));
  }

  run(text: string, values: readonly unknown[] = []): Promise<number> {
    return this.#again(() => this.#inTurn((client) => countOf(client, text, values)));
  }

  /** Runs `work` in a transaction; it may run again where the transaction met another. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#again(() => this.#inTurn((client) => this.#inTransaction(client, readCommitted, work)));
  }

  /** Runs `read` over one moment. */
  snapshot<T>(read: (sql: Sql) => Promise<T>): Promise<T> {
    const begin = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';
    return this.#again(() => this.#inTurn((client) => this.#inTransaction(client, begin, read)));
  }

  /** A statement of the membership, by which it is heard of: never behind others, so that a busy replica stays a member. */
  async queryAsMember<Row>(text: string, values: readonly unknown[]): Promise<Row[]> {
    const rows = await this.#again(() => this.#with(this.#membership, (client) => rowsOf<Row>(client, text, values)));
    // Where the server had no connection to spare, it may have one now.
    this.#limit(Math.min(this.#connections, this.#turns.limit + 1));
    return rows;
  }

  /** A transaction of the membership. */
  async asMember<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    // A server that never counted the rows of a new schema takes thousands for one, and would go through them once for each.
    const more = { enable_nestloop: 'off' };
    return this.#again(() => this.#with(this.#membership, (client) => this.#inTransaction(client, readCommitted, work, more)));
  }

  /** Ends every call that waits for a connection as if its answer was lost: what it was for is another's, or nobody's. */
  dropWaiting(): void {
    this.#turns.drop(new Error('it waited for a connection until it was not wanted any more'));
  }

  /** Ends every call under way and refuses those to come, with PEN_JOURNAL_UNAVAILABLE: a database that is silent holds up nobody. */
  cutOff(): void {
    this.#isCut = true;
    this.dropWaiting();
    this.reconnect();
  }

  /** Ends every call under way as if its answer was lost; those to come use new connections. */
  reconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Why the server had no room for a statement, where it had none since this was asked last: whose disk is full, say. */
  takeRefusal(): Refusal | undefined {
    const refusal = this.#refusal;
    this.#refusal = undefined;
    return refusal;
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.end(), this.#membership.end()]);
  }

  #newSocket(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // Who was waiting for a connection makes one when those that were cut are gone.
    if (this.#isCut) setImmediate(() => socket.destroy());
    return socket;
  }

  /** Compiling a statement over thousands of sources takes longer than running it: a second where it runs for milliseconds. */
  async #inTransaction<T>(
    client: PoolClient,
    begin: string,
    work: (sql: Sql) => Promise<T>,
    more: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    await client.query(
      `${begin}; SELECT ${Object.entries({ ...this.#settings, ...more })
        .map(([name, value]) => `set_config('${name}', '${value}', true)`)
        .join(', ')}`,
    );
    try {
      const result = await work({
        query: (text, values = []) => rowsOf(client, text, values),
        run: (text, values = []) => countOf(client, text, values),
      });
      await client.query('COMMIT');
      return result;
    } catch (error) {
      // Where the connection broke, the server undoes it by itself.
      if (error instanceof PenstockError || sqlState(error) !== undefined) await client.query('ROLLBACK');
      throw error;
    }
  }

  #limit(connections: number): void {
    this.#pool.options.max = connections;
    this.#turns.limit = connections;
    this.#turns.next();
  }

  /** The pool has as many connections as there are turns: nobody waits in it, where waiting ends with an error. */
  async #inTurn<T>(use: (client: PoolClient) => Promise<T>): Promise<T> {
    await this.#turns.take();
    try {
      return await this.#with(this.#pool, use);
    } finally {
      this.#turns.give();
    }
  }

  async #with<T>(pool: Pool, use: (client: PoolClient) => Promise<T>): Promise<T> {
    // A connection is about to be made.
    if (pool.idleCount === 0) await this.#learnPassword();
    if (this.#ca !== undefined && pool.idleCount === 0 && typeof this.#tls === 'object') this.#tls.ca = await this.#ca();
    const client = await this.#connect(pool);
    let broken = true;
    try {
      const result = await use(client);
      broken = false;
      return result;
    } catch (error) {
      broken = !(error instanceof PenstockError) && !isConnected(error);
      // What nobody waits for any more holds no row and no connection of the server.
      if (broken) cancel(client, this.#address);
      throw error;
    } finally {
      client.release(broken || pool.totalCount > pool.options.max);
    }
  }

  /**
   * A server that has no connection to spare is asked over half of those that there are: the others are for replicas that have none. Each
   * heartbeat tries one more, so that all come to about the same number, and to their own again when the server has more.
   */
  async #connect(pool: Pool): Promise<PoolClient> {
    try {
      return await pool.connect();
    } catch (error) {
      if (!isCrowded(error) || this.#pool.totalCount === 0) throw error;
      this.#limit(Math.ceil(this.#pool.totalCount / 2));
      // The membership takes the next that is free, before all who wait for a turn.
      if (pool === this.#membership) return this.#pool.connect();
      await this.#turns.takeAnother();
      return this.#connect(pool);
    }
  }

  async #again<T>(attempt: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        if (this.#isCut) throw new Error('the journal is being closed');
        return await attempt();
      } catch (error) {
        if (tries < mostTries && isCollision(error)) continue;
        const [code, what, fix] = faultOf(error);
        if (code === 'PEN_JOURNAL_FULL') this.#refusal = { what, fix };
        throw this.#secrets.tellError(databaseError(error, this.where));
      }
    }
  }
}

/** False where the next statement is better asked of another connection: this one is gone, or leads to a server that is shut down or a standby by now. */
function isConnected(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && !/^(57P|25006|08)/.test(state);
}

async function rowsOf<Row>(client: PoolClient, text: string, values: readonly unknown[]): Promise<Row[]> {
  const { rows } = await client.query(text, values.map(storable));
  return rows as Row[];
}

async function countOf(client: PoolClient, text: string, values: readonly unknown[]): Promise<number> {
  const { rowCount } = await client.query(text, values.map(storable));
  return rowCount ?? 0;
}

/** PostgreSQL keeps no NUL in a text: it is stored as the sign for it, wherever it comes from. */
function storable(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('\0') ? value.replaceAll('\0', '\u2400') : value;
  return Array.isArray(value) ? value.map(storable) : value;
}

/** Values of a statement that is put together: `add` gives a value's place. */
export class Values {
  readonly list: unknown[] = [];

  add(value: unknown, type = ''): string {
    this.list.push(value);
    return `$${this.list.length}${type === '' ? '' : `::${type}`}`;
  }
}

/** Makes the id by which a repeated write is known. */
export const newAttempt = (): string => randomUUID();
