// What a thread that decodes pictures runs. Entry file.
import { decodeBatch } from './decode-batch.ts';

export default decodeBatch;
