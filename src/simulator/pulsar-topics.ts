// Topics and their durable subscriptions. A message of a subscription is ready -> in flight (sent, not acknowledged) -> gone; what is in
// flight when its consumer goes is ready again. They outlive connections and restarts of the server, as a broker's storage does.

/** One published message. */
export interface PulsarMessage {
  /** Opaque, base64, unique over all topics. */
  readonly id: string;
  /** What `payload` of the frame holds, usually base64. */
  readonly payload: string;
  /** Milliseconds since the epoch. */
  readonly publishTime: number;
  /** Times that it was sent before. */
  redelivered: number;
}

/** One connection that consumes. */
export interface Consumer {
  /** Messages that may be in flight; 0 for one that asks for each (pull mode). */
  readonly queueSize: number;
  /** `Exclusive`, `Failover` and the others of the protocol. */
  readonly type: string;
  send(messages: readonly PulsarMessage[]): void;
  /** Ends the connection. */
  cut(): void;
}

/** An acknowledgement as it came in. */
export interface Acknowledgement {
  readonly topic: string;
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A durable subscription to one topic. */
export class Subscription {
  readonly consumers: Consumer[] = [];
  #ready: PulsarMessage[] = [];
  readonly #inFlight = new Map<string, PulsarMessage>();

  /** Messages not acknowledged yet. */
  get backlog(): number {
    return this.#ready.length + this.#inFlight.size;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** False when the type allows no second consumer. */
  attach(consumer: Consumer): boolean {
    const first = this.consumers[0];
    if (first !== undefined && (first.type === 'Exclusive' || first.type !== consumer.type)) return false;
    this.consumers.push(consumer);
    this.#dispatch();
    return true;
  }

  detach(consumer: Consumer): void {
    const wasActive = this.consumers[0] === consumer;
    const index = this.consumers.indexOf(consumer);
    if (index !== -1) this.consumers.splice(index, 1);
    if (!wasActive) return;
    for (const message of this.#inFlight.values()) message.redelivered += 1;
    this.#ready = [...this.#inFlight.values(), ...this.#ready];
    this.#inFlight.clear();
    this.#dispatch();
  }

  push(message: PulsarMessage): void {
    this.#ready.push(message);
    this.#dispatch();
  }

  acknowledge(id: string): void {
    // Also one that is ready again: an acknowledgement may cross a reconnection.
    if (!this.#inFlight.delete(id)) this.#ready = this.#ready.filter((message) => message.id !== id);
    this.#dispatch();
  }

  // Only the first consumer receives: the others of a Failover subscription stand by.
  #dispatch(): void {
    const active = this.consumers[0];
    if (active === undefined) return;
    const due = this.#ready.splice(0, Math.max(0, active.queueSize - this.#inFlight.size));
    for (const message of due) this.#inFlight.set(message.id, message);
    if (due.length > 0) active.send(due);
  }
}

/** What a broker stores. */
export class Topics {
  readonly acknowledged: Acknowledgement[] = [];
  readonly #topics = new Map<string, Map<string, Subscription>>();
  #entries = 0;

  /** Names, `tenant/namespace/topic`. */
  has(topic: string): boolean {
    return this.#topics.has(topic);
  }

  create(topic: string): void {
    if (!this.has(topic)) this.#topics.set(topic, new Map());
  }

  /** Deletes the topic with its subscriptions and all that they hold. */
  delete(topic: string): void {
    const subscriptions = this.#topics.get(topic);
    this.#topics.delete(topic);
    for (const { consumers } of subscriptions?.values() ?? []) for (const consumer of consumers) consumer.cut();
  }

  subscriptions(topic: string): string[] {
    return [...(this.#topics.get(topic)?.keys() ?? [])];
  }

  /** Finds or makes a subscription: a new one gets what is published from now on. Undefined when there is no such topic. */
  subscribe(topic: string, name: string): Subscription | undefined {
    const subscriptions = this.#topics.get(topic);
    const subscription = subscriptions?.get(name) ?? new Subscription();
    subscriptions?.set(name, subscription);
    return subscriptions === undefined ? undefined : subscription;
  }

  /** Publishes to every subscription, each with its own state; returns the message id. */
  publish(topic: string, payload: string, publishTime: number): string {
    this.#entries += 1;
    const id = Buffer.from(`\b\u0003\u0010${this.#entries}`).toString('base64');
    for (const subscription of this.#topics.get(topic)?.values() ?? [])
      subscription.push({ id, payload, publishTime, redelivered: 0 });
    return id;
  }

  acknowledge(topic: string, subscription: Subscription, id: string, at: number): void {
    this.acknowledged.push({ topic, id, at });
    subscription.acknowledge(id);
  }
}
