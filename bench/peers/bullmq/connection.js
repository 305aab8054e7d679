// Where the benchmark's Redis is.
const url = new URL(process.env.REDIS_URL);

export const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
