export async function runMutants(_: { only: string | undefined; say: (text: string) => void }): Promise<boolean> {
  return true;
}
