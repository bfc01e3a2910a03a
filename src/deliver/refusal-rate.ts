/** Tells a wrong configuration from bad data: many different events refused for one reason. */
export interface RefusalRate {
  accepted(count: number): void;
  /** True when this refusal makes it systematic; such a one is not remembered, so that it may be asked again. */
  refused(uid: string, code: string): boolean;
  /** An operator wants the refusals of this code as dead letters, until the process ends. */
  forgive(code: string): void;
  /** The cause is gone: what was refused no longer counts. */
  clear(): void;
}

const lastEvents = 200;
const fewest = 20;
const share = 0.1;

/** Watches the last 200 events: 20 or more distinct ones and over 10 % refused with one code are systematic. */
export function createRefusalRate(): RefusalRate {
  let recent: ({ readonly uid: string; readonly code: string } | undefined)[] = [];
  const forgiven = new Set<string>();
  const forget = (): void => {
    if (recent.length >= lastEvents) recent = recent.slice(1 - lastEvents);
  };
  return {
    accepted(count) {
      for (let step = 0; step < Math.min(count, lastEvents); step += 1) recent.push(undefined);
      if (recent.length > lastEvents) recent = recent.slice(-lastEvents);
    },
    refused(uid, code) {
      forget();
      const same = new Set(recent.filter((event) => event?.code === code).map((event) => event?.uid)).add(uid);
      if (!forgiven.has(code) && same.size >= fewest && same.size > (recent.length + 1) * share) return true;
      recent.push({ uid, code });
      return false;
    },
    forgive: (code) => forgiven.add(code),
    clear() {
      recent = [];
    },
  };
}
