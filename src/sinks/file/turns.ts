// A call on a file keeps one of the four threads that the whole process shares for as long as the disk takes: for ever, on a share whose server
// is away. So a path has one call at a time, also when its sink is opened anew meanwhile, and all paths together two: the rest of the process,
// which compresses and asks for names in these threads, goes on.
const mostAtOnce = 2;

const busy = new Set<string>();
const waiting: { readonly path: string; readonly begin: () => void }[] = [];

/** Resolves when it is the path's turn, which ends when the result is disposed of. */
export function takeTurn(path: string): Promise<Disposable> {
  const { promise, resolve } = Promise.withResolvers<Disposable>();
  const end = (): void => {
    busy.delete(path);
    beginNext();
  };
  waiting.push({ path, begin: () => resolve({ [Symbol.dispose]: end }) });
  beginNext();
  return promise;
}

function beginNext(): void {
  for (let at = 0; at < waiting.length && busy.size < mostAtOnce; ) {
    const next = waiting[at];
    if (next === undefined || busy.has(next.path)) {
      at += 1;
      continue;
    }
    waiting.splice(at, 1);
    busy.add(next.path);
    next.begin();
  }
}
