// A real browser, driven over its debugging protocol.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';

/** Where Chromium is; undefined where there is none. */
export const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

type Fields = Readonly<Record<string, unknown>>;

const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--remote-debugging-port=0',
];

/** One node of the accessibility tree, as a screen reader is told. */
export interface AccessibleNode {
  readonly role: string;
  readonly name: string;
}

/** A tab. Disposing ends its browser. */
export class Tab implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #close: () => Promise<void>;
  readonly #waiting = new Map<number, { resolve(result: Fields): void; reject(error: Error): void }>();
  #id = 0;
  #onLoad: (() => void) | undefined;
  /** What the page wrote to its console, violations of its policy included. */
  readonly complaints: string[] = [];

  constructor(socket: WebSocket, close: () => Promise<void>) {
    this.#socket = socket;
    this.#close = close;
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(String(data)) as Fields));
  }

  send(method: string, params: Fields = {}): Promise<Fields> {
    const id = (this.#id += 1);
    const { promise, resolve, reject } = Promise.withResolvers<Fields>();
    this.#waiting.set(id, { resolve, reject });
    this.#socket.send(JSON.stringify({ id, method, params }));
    return promise;
  }

  /** The value of an expression, or of the promise that it is. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { readonly value?: unknown }).value;
  }

  /** Resolves when the expression is true. */
  async until(expression: string): Promise<void> {
    const code = `new Promise((done) => { const look = () => (${expression} ? done(true) : setTimeout(look, 50)); look(); })`;
    await this.evaluate(code);
  }

  /** Loads a page, or this one again: until that has happened, an expression would be that of the page before, or break off with it. */
  async load(url?: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => (this.#onLoad = resolve));
    await (url === undefined ? this.send('Page.reload') : this.send('Page.navigate', { url }));
    await loaded;
  }

  async size(width: number, height = 900): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 500 });
  }

  async dark(isDark: boolean): Promise<void> {
    const features = [{ name: 'prefers-color-scheme', value: isDark ? 'dark' : 'light' }];
    await this.send('Emulation.setEmulatedMedia', { features });
  }

  async press(key: string): Promise<void> {
    for (const type of ['keyDown', 'keyUp'])
      await this.send('Input.dispatchKeyEvent', {
        type,
        key,
        code: key,
        ...(key === 'Enter' ? { text: '\r' } : {}),
        ...codeOf(key),
      });
  }

  /** The whole page as PNG. */
  async screenshot(file: string): Promise<void> {
    const { data } = await this.send('Page.captureScreenshot', { captureBeyondViewport: true, format: 'png' });
    await fs.writeFile(file, Buffer.from(String(data), 'base64'));
  }

  async accessible(): Promise<readonly AccessibleNode[]> {
    const { nodes } = await this.send('Accessibility.getFullAXTree');
    const all = nodes as readonly { ignored: boolean; role?: { value: string }; name?: { value: string } }[];
    return all.filter(({ ignored }) => !ignored).map(({ role, name }) => ({ role: role?.value ?? '', name: name?.value ?? '' }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // In order: a process of it that is left over would still write into the folder that is removed.
    void this.send('Browser.close');
    await this.#close();
  }

  #hear({ id, result, error, method, params }: Fields): void {
    if (method === 'Log.entryAdded') this.complaints.push((params as { entry: { text: string } }).entry.text);
    if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params));
    if (method === 'Page.loadEventFired') this.#onLoad?.();
    const waiting = this.#waiting.get(id as number);
    if (waiting === undefined) return;
    this.#waiting.delete(id as number);
    if (error === undefined) waiting.resolve(result as Fields);
    else waiting.reject(new Error(JSON.stringify(error)));
  }
}

const codeOf = (key: string): Fields => ({ windowsVirtualKeyCode: { Tab: 9, Enter: 13 }[key] ?? 0 });

/** Starts a browser with one tab at the URL. */
export async function openTab(url: string): Promise<Tab> {
  const profile = await fs.mkdtemp(join(os.tmpdir(), 'penstock-chromium-'));
  const child = spawn(chromium ?? '', [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  const close = async (): Promise<void> => {
    await ended;
    await fs.rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  const origin = await debuggerOf(child.stderr);
  const tabs = (await (await fetch(`${origin}/json/list`)).json()) as readonly { type: string; webSocketDebuggerUrl: string }[];
  const socket = new WebSocket(tabs.find(({ type }) => type === 'page')?.webSocketDebuggerUrl ?? '');
  await once(socket, 'open');
  const tab = new Tab(socket, close);
  for (const domain of ['Page', 'Runtime', 'Log', 'Accessibility']) await tab.send(`${domain}.enable`);
  await tab.load(url);
  return tab;
}

async function debuggerOf(output: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of output) {
    text += String(chunk);
    const [, host] = /DevTools listening on ws:\/\/([^/]+)\//.exec(text) ?? [];
    if (host !== undefined) return `http://${host}`;
  }
  throw new Error(`the browser did not start: ${text}`);
}
