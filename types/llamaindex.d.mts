// Made from lib/ by "npm run build:types". Change the sources instead.
import { BaseEmbedding } from '@llamaindex/core/embeddings';
import { BaseEmbeddingOptions } from '@llamaindex/core/embeddings';

/** Options of every adapter. */
export declare interface AdapterOptions {
    /** Text to put before each text. The default is the model's own configuration. */
    prompts?: RetrievalPrompts;
}

/** The result of {@link Embedder.embedDetailed}. Each array has one entry per text, in the order of the texts. */
export declare interface DetailedEmbeddings {
    /** The vectors: views into one buffer. */
    vectors: Float32Array[];
    /** Number of tokens of each text before truncation, special tokens included. */
    tokenCounts: Uint32Array;
    /** Whether the end of the text was cut off because it has more than `maxTokens` tokens. */
    truncated: boolean[];
}

/** What an adapter needs of an embedder; an `Embedder` has it. */
export declare interface EmbedderLike {
    /** The model. */
    readonly info: ModelInfo;
    /** Returns the vectors of texts in their order, with their token counts. */
    embedDetailed(texts: readonly string[], options?: EmbedOptions): Promise<DetailedEmbeddings>;
}

/** Options of one embedding call. All are optional; unknown names are rejected. */
export declare interface EmbedOptions {
    /**
     * The lane that the call waits in. A long `bulk` call makes way for `interactive` calls while it runs.
     * @defaultValue `'interactive'` for `embedOne`, `'bulk'` for `embedBatch` and `embedDetailed`
     */
    priority?: Priority | undefined;
    /** Cancels the call, which rejects with `ERR_EMBED_ABORTED`; its `cause` is the signal's reason. */
    signal?: AbortSignal | undefined;
    /**
     * The time limit of the call in milliseconds, including time in the queue, after which it rejects with
     * `ERR_EMBED_TIMEOUT`: from 1 to 2,147,483,647.
     * @defaultValue no limit
     */
    timeoutMs?: number | undefined;
    /**
     * What happens to a text of more than `maxTokens` tokens: its end is cut off, or the whole call rejects with
     * `ERR_EMBED_TOO_LONG`.
     * @defaultValue `'truncate'`
     */
    overflow?: 'truncate' | 'error' | undefined;
    /**
     * Whether the vectors are scaled to length 1.
     * @defaultValue the embedder's own setting
     */
    normalize?: boolean | undefined;
    /**
     * Called on the JavaScript thread as texts are completed, at most 20 times a second and never after the call is settled.
     * `done` never decreases and ends at `total`, the number of texts. If it throws, the error is reported as an uncaught
     * exception and the call continues.
     */
    onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The role of a text in retrieval: the question, or one of the documents that are searched. */
export declare type InputType = 'query' | 'document';

/** Describes a loaded model: everything that determines its vectors. */
export declare interface ModelInfo {
    /** The model's id on the hub if its files contain it, else the name of its folder. */
    readonly model: string;
    /** The commit of a model from the hub; `null` for a folder. */
    readonly revision: string | null;
    /** The model's folder. */
    readonly path: string;
    /** The ONNX file. */
    readonly modelFile: string;
    /** Length of a vector. */
    readonly dimension: number;
    /**
     * Lengths to which the model was trained to have its vectors cut with {@link truncateDimensions}: `matryoshka_dimensions`
     * in the model's config.json. Empty if it has none, as for most models, even some that were trained for it.
     */
    readonly matryoshkaDimensions: readonly number[];
    /** Maximum number of tokens of a text, special tokens included. Longer texts are truncated. */
    readonly maxTokens: number;
    /** How token embeddings are combined into one vector; `'model'` if the model itself outputs one vector per text. */
    readonly pooling: Pooling | 'model';
    /** Whether vectors are scaled to length 1 unless a call says otherwise. */
    readonly normalize: boolean;
    /** The number format that the model computes in. */
    readonly precision: Precision;
    /** Number of threads that compute. */
    readonly threads: number;
    /**
     * Identifies the vector space: 64 hexadecimal digits that depend on the weights, tokenizer.json, pooling, `normalize`,
     * `maxTokens` and `precision`. Vectors of two embedders are comparable if their fingerprints are equal. For 8-bit
     * weights, the original weights count, so a folder written by `sentence-embedder prepare --out` and weights converted on
     * this machine are the same space.
     */
    readonly fingerprint: string;
    /** The source of each value: a file of the model, the catalogue of known models, an option, or a rule. */
    readonly sources: {
        readonly maxTokens: string;
        readonly pooling: string;
        readonly normalize: string;
    };
}

/**
 * How the token embeddings of a text are combined into one vector: their mean, the first token's (`cls`), or the maximum of
 * each dimension.
 */
export declare type Pooling = 'mean' | 'cls' | 'max';

/** The number format in which the model's weights are stored and multiplied. */
export declare type Precision = 'fp32' | 'int8';

/** The lane that a call waits in. `interactive` calls go before `bulk` calls, which they can slow down but never starve. */
export declare type Priority = 'interactive' | 'bulk';

/**
 * Text to put before each text, by role, such as `{ query: 'query: ', passage: 'passage: ' }` for models of the E5 family.
 * The document role has several names, as in models' own configurations; use only one of them.
 */
export declare interface RetrievalPrompts {
    /**
     * Text to put before a question.
     * @defaultValue the prompt `query` of the model's config_sentence_transformers.json, else nothing
     */
    query?: string;
    /**
     * Text to put before a document.
     * @defaultValue the prompt `document`, else `passage`, else `corpus` of the same file, else nothing
     */
    document?: string;
    /** The same as `document`. */
    passage?: string;
    /** The same as `document`. */
    corpus?: string;
}

/**
 * LlamaIndex's `BaseEmbedding` over an `Embedder`, which you still have to close. `embedBatchSize` has no effect: all texts
 * go to the embedder together, which makes its own batches.
 *
 * @example
 * ```ts
 * import { Settings } from 'llamaindex';
 * import { Embedder } from 'sentence-embedder';
 * import { SentenceEmbedding } from 'sentence-embedder/llamaindex';
 *
 * Settings.embedModel = new SentenceEmbedding(await Embedder.load({ model: './models/all-MiniLM-L6-v2' }));
 * ```
 */
export declare class SentenceEmbedding extends BaseEmbedding {
    #private;
    /** Returns one vector per text, in the bulk lane. */
    getTextEmbeddings: (texts: string[]) => Promise<number[][]>;
    /**
     * Throws `ERR_EMBED_INVALID_ARGUMENT` for unknown options and invalid values, and `ERR_EMBED_MODEL_INVALID` if the
     * model's prompts cannot be used.
     */
    constructor(embedder: EmbedderLike, options?: SentenceEmbeddingOptions);
    /** Returns the vector of a document, in the bulk lane. */
    getTextEmbedding(text: string): Promise<number[]>;
    /** Returns the vector of a question, in the interactive lane; `null` if it has no text. */
    getQueryEmbedding(query: Parameters<BaseEmbedding['getQueryEmbedding']>[0]): Promise<number[] | null>;
    /**
     * Returns one vector per text, in the bulk lane. `progressCallback` receives the number of texts done and of all texts;
     * `logProgress` and `logger` have no effect.
     */
    getTextEmbeddingsBatch(texts: string[], options?: BaseEmbeddingOptions): Promise<number[][]>;
}

/** Options of {@link SentenceEmbedding}. */
export declare interface SentenceEmbeddingOptions extends AdapterOptions {
    /** Cancels every call. LlamaIndex passes no signal. */
    signal?: AbortSignal;
}

export { }
