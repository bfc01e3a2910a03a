/** What is opened with secrets and certificates: a reader, a sink. */
export interface Opened extends AsyncDisposable {
  /** True when others have taken the place of those by now. A test double may lack it. */
  isOutdated?(): Promise<boolean>;
}
