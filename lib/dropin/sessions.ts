/** The session in place: its start, its replacement on request and when it has failed, and its end. */

import { asEmbedError, embedError, endedBy, throwIfAborted } from '../errors.js';
import { title } from '../stamps.js';
import type { EmbedError, EmbedErrorCode } from '../types.js';
import { atMost, pause, Places } from './batches.js';
import { MAX_REBUILDS, type Settings } from './config.js';
import type { Engine, EngineCall, EngineTraits, StartContext } from './engine.js';
import type { Reporter } from './events.js';
import type { StageEvent, VectorSpace } from './iembedder.js';
import { linked, untilAborted } from './signals.js';

/** Errors that may mean that the session is broken. */
const OF_SESSION: ReadonlySet<EmbedErrorCode> = new Set([
  'ERR_EMBED_INFERENCE',
  'ERR_EMBED_RUNTIME_NOT_FOUND',
  'ERR_EMBED_INTERNAL',
]);

/** The stages of a start, which are told in this order. */
const STAGES: readonly StageEvent['stage'][] = ['checking', 'downloading', 'preparing', 'loading', 'ready'];

/** A session, the batches that it works on, and the calls that were answered in its time. */
interface Running {
  readonly engine: Engine;
  /** Ends the batches that it still works on when it is closed. */
  readonly life: AbortController;
  batches: number;
  files: number;
  whenIdle: (() => void) | undefined;
}

/** Texts that go to a session together. */
export interface Batch {
  readonly texts: readonly string[];
  /** Sessions that broke over it. */
  broken: number;
}

interface Parts {
  readonly traits: EngineTraits;
  readonly settings: Settings;
  readonly reporter: Reporter;
  readonly start: (context: StartContext) => Promise<Engine>;
}

/** One session at a time, for an embedder's whole life. */
export class Sessions {
  readonly #parts: Parts;
  /** Ends of earlier sessions that are under way. */
  readonly #retiring = new Set<Promise<void>>();
  /** A place for a batch that is tried by itself. */
  readonly #suspects = new Places(1);
  /** Ends starts. */
  #life = new AbortController().signal;
  #running: Running | undefined;
  #replacing: Promise<void> | undefined;
  #rebuilding: Promise<void> | undefined;
  /** Replacements since the last success. */
  #rebuilds = 0;
  #failure: EmbedError | undefined;
  /** Of the vectors of this life. */
  #space: VectorSpace | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get engine(): Engine | undefined {
    return this.#running?.engine;
  }

  /** Why there will be no further replacement. */
  get failure(): EmbedError | undefined {
    return this.#failure;
  }

  /** Calls that were answered since the session started. */
  get files(): number {
    return this.#running?.files ?? 0;
  }

  countFile(): void {
    if (this.#running) this.#running.files += 1;
  }

  /** Once a start of the life before has ended, forgets what failed and which vectors there were. The end of `life` ends starts. */
  async begin(life: AbortSignal): Promise<void> {
    await this.#replacing?.catch(() => undefined);
    this.#life = life;
    this.#space = undefined;
    this.#failure = undefined;
    this.#rebuilds = 0;
  }

  /** Starts a session, puts it in place, and lets the one before finish. Everyone who asks meanwhile shares it. */
  replace(): Promise<void> {
    this.#replacing ??= this.#startAndSwap().finally(() => {
      this.#replacing = undefined;
    });
    return this.#replacing;
  }

  /** Replaces the session at the host's request, and waits until the one before is gone. */
  async restart(): Promise<void> {
    if (!this.#replacing) this.#parts.reporter.restart('requested', 1);
    await this.replace();
    this.#rebuilds = 0;
    await Promise.all(this.#retiring);
  }

  /** Frees everything. What is under way rejects. */
  async end(): Promise<void> {
    await this.#replacing?.catch(() => undefined);
    const running = this.#running;
    this.#running = undefined;
    if (running) await close(running);
    await Promise.all(this.#retiring);
  }

  /** Embeds a batch. If it fails because the session has, it goes to the next session. */
  async embed(batch: Batch, call: EngineCall): Promise<Float32Array[]> {
    const { signal, priority } = call;
    for (;;) {
      const running = await this.#take(signal);
      running.batches += 1;
      const { end, unlink } = linked(signal, running.life.signal);
      let failed: EmbedError;
      try {
        const vectors = await running.engine.embed(batch.texts, { ...call, signal: end.signal });
        this.#rebuilds = 0;
        return vectors;
      } catch (cause) {
        failed = running.life.signal.aborted ? endedBy(running.life.signal) : asEmbedError(cause);
      } finally {
        unlink();
        running.batches -= 1;
        if (running.batches === 0) running.whenIdle?.();
      }
      if (signal.aborted) throw failed;
      const ofSession = failed.code === 'ERR_EMBED_CLOSED' || OF_SESSION.has(failed.code);
      if (this.#running !== running && ofSession) continue; // it was replaced and closed before it was done
      const { settings, traits } = this.#parts;
      if (!settings.autoRestart && traits.recovers) throw failed;
      if (!(await isBroken(running, failed, signal))) throw failed;
      throwIfAborted(signal);
      if (!settings.autoRestart) {
        if (this.#running === running) this.#fail(failed);
        throw failed;
      }
      batch.broken += 1;
      await untilAborted(signal, () => this.#rebuild(running, failed));
      if (this.hasGivenUp(batch)) {
        const message = `Gave up on the texts after they broke two sessions: ${failed.message}`;
        throw embedError('ERR_EMBED_INFERENCE', message, { cause: failed.cause });
      }
      if (batch.broken === 1 && traits.suspectsTexts) {
        return this.#suspects.run(priority, signal, () => this.embed(batch, call));
      }
    }
  }

  /** Whether a batch has broken two sessions, the second one by itself. */
  hasGivenUp({ broken }: Batch): boolean {
    return this.#parts.traits.suspectsTexts && broken > 1;
  }

  /** The session that takes the next batch, started if there is none. */
  async #take(signal: AbortSignal): Promise<Running> {
    for (;;) {
      throwIfAborted(signal);
      if (this.#failure) throw this.#failure;
      if (this.#running) return this.#running;
      await untilAborted(signal, () => this.replace());
    }
  }

  async #startAndSwap(): Promise<void> {
    const { reporter, start, traits } = this.#parts;
    const signal = this.#life;
    const old = this.#running;
    if (old && traits.exclusive) {
      this.#running = undefined;
      await this.#retire(old);
    }
    const { tell, end } = stagesTo(reporter);
    let engine: Engine;
    try {
      throwIfAborted(signal);
      tell('checking', 'Checking the model');
      engine = await start({ signal, tell });
      const refusal = signal.aborted ? endedBy(signal) : otherSpace(this.#space, engine.space);
      if (refusal) {
        await engine.close();
        throw refusal;
      }
      this.#space = engine.space;
    } catch (cause) {
      const error = signal.aborted ? endedBy(signal) : asEmbedError(cause);
      reporter.fail(error);
      throw error;
    } finally {
      end();
    }
    this.#running = { engine, life: new AbortController(), batches: 0, files: 0, whenIdle: undefined };
    this.#failure = undefined;
    reporter.lastError = undefined;
    reporter.stage('ready', 'Ready to embed', 1);
    if (old && !traits.exclusive) this.#retireLater(old);
  }

  /** A failed session must not hold up its successor: whoever needs to know that it is gone waits for it. */
  #retireLater(running: Running): void {
    const retiring = this.#retire(running).finally(() => {
      this.#retiring.delete(retiring);
    });
    this.#retiring.add(retiring);
  }

  /** Lets a session finish its batches, up to `drainTimeout`, and frees it. */
  async #retire(running: Running): Promise<void> {
    if (running.batches > 0) {
      const idle = new Promise<void>((resolve) => {
        running.whenIdle = resolve;
      });
      await atMost(this.#parts.settings.drainTimeout, idle);
    }
    await close(running);
  }

  #rebuild(broken: Running, error: EmbedError): Promise<void> {
    if (!this.#rebuilding && this.#running !== broken) return Promise.resolve(); // another call has seen to it
    this.#rebuilding ??= this.#tryRebuilding(broken, error).finally(() => {
      this.#rebuilding = undefined;
    });
    return this.#rebuilding;
  }

  async #tryRebuilding(broken: Running, first: EmbedError): Promise<void> {
    const { reporter, settings } = this.#parts;
    const signal = this.#life;
    for (let error = first; ;) {
      if (this.#rebuilds >= MAX_REBUILDS) {
        const message = `The session failed after it was replaced ${String(MAX_REBUILDS)} times: ${error.message}`;
        throw this.#fail(embedError('ERR_EMBED_INFERENCE', message, { cause: error }));
      }
      if (this.#rebuilds > 0) await pause(settings.retryDelay, signal);
      if (this.#running && this.#running !== broken) return; // the host has restarted it meanwhile
      this.#rebuilds += 1;
      reporter.restart('failure', this.#rebuilds, error);
      try {
        await this.replace();
        return;
      } catch (cause) {
        error = asEmbedError(cause);
        if (signal.aborted) throw error;
      }
    }
  }

  /** Keeps why there will be no further session by itself: the first reason, which is told once. */
  #fail(error: EmbedError): EmbedError {
    if (!this.#failure) {
      this.#failure = error;
      this.#parts.reporter.fail(error);
    }
    return this.#failure;
  }
}

async function isBroken({ engine, life }: Running, error: EmbedError, signal: AbortSignal): Promise<boolean> {
  if (error.code === 'ERR_EMBED_CLOSED') return true;
  if (!OF_SESSION.has(error.code)) return false;
  const { end, unlink } = linked(signal, life.signal);
  try {
    // The texts may be what is wrong: then every session would fail on them.
    return !(await engine.isHealthy(end.signal));
  } finally {
    unlink();
  }
}

/** Why a session must not go on where another left off, whose vectors may be beside its own in one index. */
function otherSpace(before: VectorSpace | undefined, now: VectorSpace): EmbedError | undefined {
  if (!before) return undefined;
  const differs = (what: 'fingerprint' | 'precision'): boolean =>
    before[what] !== null && now[what] !== null && before[what] !== now[what];
  const isSame = before.dimension === now.dimension && before.normalize === now.normalize;
  if (isSame && !differs('fingerprint') && !differs('precision')) return undefined;
  const message =
    `Expected a session with the vectors of ${title(before)}, ${String(before.dimension)} numbers, but it has others: ` +
    `${title(now)}, ${String(now.dimension)} numbers. After shutdown() and initialize(), they are used`;
  return embedError('ERR_EMBED_MODEL_INVALID', message);
}

/** Ends the batches that a session still works on, which not every kind does by itself, and frees it. */
async function close({ engine, life }: Running): Promise<void> {
  life.abort(embedError('ERR_EMBED_CLOSED', 'The session was closed during the call'));
  await engine.close();
}

/** Tells the stages of one start: none that lies behind it, and none once it has ended. */
function stagesTo(reporter: Reporter): { tell: StartContext['tell']; end: () => void } {
  let reached = 0;
  return {
    tell: (stage, message, progress) => {
      const place = STAGES.indexOf(stage);
      if (place < reached) return;
      reached = place;
      reporter.stage(stage, message, progress);
    },
    end: () => {
      reached = STAGES.length;
    },
  };
}
