// Made from lib/ by "npm run build:types". Change the sources instead.
import { Embeddings } from '@langchain/core/embeddings';
import { EmbeddingsParams } from '@langchain/core/embeddings';

/** Options that every adapter has. */
export declare interface AdapterOptions {
    /** What is put before texts. What is not given is what the model's own configuration says. */
    prompts?: RetrievalPrompts;
}

/** What {@link Embedder.embedDetailed} answers: one entry a text in each list, in the order of the texts. */
export declare interface DetailedEmbeddings {
    /** One vector a text: views over one buffer. */
    vectors: Float32Array[];
    /** Tokens of each text before truncation, special tokens included. */
    tokenCounts: Uint32Array;
    /** Whether the end of the text was cut off because it has more than `maxTokens` tokens. */
    truncated: boolean[];
}

/** What an adapter needs of an embedder: an `Embedder` has it. */
export declare interface EmbedderLike {
    /** The model. */
    readonly info: ModelInfo;
    /** The vectors of texts, in their order, with their token counts. */
    embedDetailed(texts: readonly string[], options?: EmbedOptions): Promise<DetailedEmbeddings>;
}

/** Options of one embedding call. Every one may be left out; an unknown name is refused. */
export declare interface EmbedOptions {
    /**
     * The lane that the call waits in. A long `bulk` call makes way for `interactive` calls as it runs.
     * @defaultValue `'interactive'` for `embedOne`, `'bulk'` for `embedBatch` and `embedDetailed`
     */
    priority?: Priority;
    /** Cancels the call: it rejects with `ERR_EMBED_ABORTED`, whose `cause` is the signal's reason. */
    signal?: AbortSignal;
    /**
     * How long the call may take, waiting included, before it rejects with `ERR_EMBED_TIMEOUT`: from 1 to 2,147,483,647
     * milliseconds.
     * @defaultValue no limit
     */
    timeoutMs?: number;
    /**
     * What happens to a text of more than `maxTokens` tokens: its beginning is embedded, or the whole call rejects with
     * `ERR_EMBED_TOO_LONG`.
     * @defaultValue `'truncate'`
     */
    overflow?: 'truncate' | 'error';
    /**
     * Whether the vectors are scaled to length 1.
     * @defaultValue the `normalize` that the embedder was loaded with
     */
    normalize?: boolean;
    /**
     * Called on the JavaScript thread as texts are done. `done` never falls and ends at `total`, the number of texts. An
     * exception that it throws is reported as uncaught and does not disturb the call.
     */
    onProgress?: (done: number, total: number) => void;
}

/** What a text is in retrieval: the question, or one of the texts that are searched. */
export declare type InputType = 'query' | 'document';

/** What a loaded embedder is: everything that decides its vectors. */
export declare interface ModelInfo {
    /** The model's id on the hub where its files tell it, else the name of its folder. */
    readonly model: string;
    /** The commit of a model from the hub; `null` for a folder. */
    readonly revision: string | null;
    /** The model's folder. */
    readonly path: string;
    /** The ONNX file. */
    readonly modelFile: string;
    /** Numbers in a vector. */
    readonly dimension: number;
    /**
     * Lengths that the vectors were trained to be cut to with {@link truncateDimensions}: `matryoshka_dimensions` of the model's
     * config.json. Empty where it says nothing, which is so for most models, even for some that were.
     */
    readonly matryoshkaDimensions: readonly number[];
    /** Tokens that are read of a text, special tokens included. */
    readonly maxTokens: number;
    /** How token embeddings become one vector; `'model'` where the model's output is one vector a text already. */
    readonly pooling: Pooling | 'model';
    /** Whether vectors have length 1 unless a call says otherwise. */
    readonly normalize: boolean;
    /** The numbers that the model computes in. */
    readonly precision: Precision;
    /** Threads that compute. */
    readonly threads: number;
    /**
     * Names the vector space: 64 hexadecimal digits over the content of the weights and of tokenizer.json, pooling,
     * `normalize`, `maxTokens` and `precision`. Vectors of two embedders can be compared if their fingerprints are the same.
     * Of 8-bit weights those count that they were made from, so that a folder of `sentence-embedder prepare --out` and the same
     * made on this machine are one space.
     */
    readonly fingerprint: string;
    /** Where a value came from: a file of the model, the catalogue of known models, an option, or a rule. */
    readonly sources: {
        readonly maxTokens: string;
        readonly pooling: string;
        readonly normalize: string;
    };
}

/**
 * How the token embeddings of a text become one vector: their mean, the first token's (`cls`), or the largest value of
 * each dimension.
 */
export declare type Pooling = 'mean' | 'cls' | 'max';

/** The numbers in which the model's weights are stored and multiplied. */
export declare type Precision = 'fp32' | 'int8';

/**
 * Which of two lanes a call waits in: `interactive` goes before `bulk`, which it can slow down but never starve.
 */
export declare type Priority = 'interactive' | 'bulk';

/**
 * What is put before a text, by its role: `{ query: 'query: ', passage: 'passage: ' }` for models of the E5 family. The second
 * role has the names that models' own configurations have for it, of which one may be given.
 */
export declare interface RetrievalPrompts {
    /**
     * Put before a question.
     * @defaultValue the prompt `query` of the model's config_sentence_transformers.json, else nothing
     */
    query?: string;
    /**
     * Put before a text that is searched.
     * @defaultValue the prompt `document`, else `passage`, else `corpus` of the same file, else nothing
     */
    document?: string;
    /** The same as `document`. */
    passage?: string;
    /** The same as `document`. */
    corpus?: string;
}

/**
 * `Embeddings` over an `Embedder`, which stays the caller's to close. Nothing is retried or cut into batches on
 * this side: the embedder does its own.
 *
 * @example
 * ```ts
 * import { MemoryVectorStore } from '@langchain/classic/vectorstores/memory';
 * import { Embedder } from 'sentence-embedder';
 * import { SentenceEmbeddings } from 'sentence-embedder/langchain';
 *
 * const embedder = await Embedder.load({ model: './models/all-MiniLM-L6-v2' });
 * const store = new MemoryVectorStore(new SentenceEmbeddings(embedder));
 * ```
 */
export declare class SentenceEmbeddings extends Embeddings {
    #private;
    /**
     * Throws `ERR_EMBED_INVALID_ARGUMENT` for unknown options and wrong values, and `ERR_EMBED_MODEL_INVALID` when the prompts of
     * the model cannot be used.
     */
    constructor(embedder: EmbedderLike, options?: SentenceEmbeddingsOptions);
    /** The vector of a question, in the interactive lane. Rejects as `Embedder.embedOne` does. */
    embedQuery(text: string, options?: {
        signal?: AbortSignal;
    }): Promise<number[]>;
    /** One vector a text, in the bulk lane. Rejects as `Embedder.embedBatch` does. */
    embedDocuments(texts: string[], options?: {
        signal?: AbortSignal;
    }): Promise<number[][]>;
}

/**
 * Options of {@link SentenceEmbeddings}. Those of LangChain's own `Embeddings` reach its `caller`, through which nothing goes here:
 * calls of an embedder need no retries, and no bound but its own.
 */
export declare interface SentenceEmbeddingsOptions extends AdapterOptions, EmbeddingsParams {
    /** Cancels every call that has no signal of its own: LangChain's stores pass none. */
    signal?: AbortSignal;
}

export { }
