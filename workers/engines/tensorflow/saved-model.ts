// Writes a program as a TensorFlow SavedModel, with the protobuf classes that tfjs-node ships.
// Format: tensorflow/core/protobuf/saved_model.proto, meta_graph.proto; tensorflow/core/framework/graph.proto.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Attribute,
  type DType,
  GRAPH_VERSION,
  type GraphNode,
  type Shape,
  type Tensor,
  tensorName,
} from '../../../shared/model/graph.ts';
import type { Program } from '../../../shared/model/program.ts';
import { requirePackage } from './package.ts';
import type { ProtobufClasses } from './protobuf.ts';

const pb: ProtobufClasses = requirePackage()('@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js');

/** GraphDef version of the oldest reader. */
const MIN_CONSUMER = 12;
/** The tag and signature under which TensorFlow looks a serving model up. */
export const SERVE_TAG = 'serve';
const SIGNATURE = 'serving_default';

const toDataType = (dtype: DType): number => (dtype === 'float32' ? pb.DataType.DT_FLOAT : pb.DataType.DT_INT32);
const toBase64 = (view: ArrayBufferView): string =>
  Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64');

function toShape(shape: Shape) {
  const message = new pb.TensorShape();
  const dimensions = shape.map((size) => {
    const dimension = new pb.TensorShape.Dim();
    dimension.setSize(size);
    return dimension;
  });
  message.setDimList(dimensions);
  return message;
}

function toAttribute(attribute: Attribute) {
  const message = new pb.AttrValue();
  switch (attribute.kind) {
    case 'type':
      message.setType(toDataType(attribute.value));
      break;
    case 'int':
      message.setI(attribute.value);
      break;
    case 'float':
      message.setF(attribute.value);
      break;
    case 'bool':
      message.setB(attribute.value);
      break;
    case 'text':
      message.setS(Buffer.from(attribute.value).toString('base64'));
      break;
    case 'ints': {
      const list = new pb.AttrValue.ListValue();
      list.setIList([...attribute.value]);
      message.setList(list);
      break;
    }
    case 'shape':
      message.setShape(toShape(attribute.value));
      break;
    case 'tensor': {
      const tensor = new pb.Tensor();
      tensor.setDtype(toDataType(attribute.value instanceof Float32Array ? 'float32' : 'int32'));
      tensor.setTensorShape(toShape(attribute.shape));
      tensor.setTensorContent(toBase64(attribute.value));
      message.setTensor(tensor);
      break;
    }
    default:
      throw new Error(`unknown attribute ${JSON.stringify(attribute satisfies never)}`);
  }
  return message;
}

function toNode(node: GraphNode) {
  const message = new pb.NodeDef();
  message.setName(node.name);
  message.setOp(node.op);
  message.setInputList([...node.inputs]);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    message.getAttrMap().set(name, toAttribute(attribute));
  }
  return message;
}

function toTensorInfo(tensor: Tensor) {
  const message = new pb.TensorInfo();
  message.setName(tensorName(tensor));
  message.setDtype(toDataType(tensor.dtype));
  message.setTensorShape(toShape(tensor.shape));
  return message;
}

/** The bytes of `saved_model.pb`. */
export function toSavedModel(program: Program): Uint8Array {
  const versions = new pb.VersionDef();
  versions.setProducer(GRAPH_VERSION);
  versions.setMinConsumer(MIN_CONSUMER);
  const graph = new pb.GraphDef();
  graph.setNodeList(program.graph.nodes.map(toNode));
  graph.setVersions(versions);

  const signature = new pb.SignatureDef();
  signature.setMethodName('tensorflow/serving/predict');
  for (const [name, tensor] of Object.entries(program.inputs)) signature.getInputsMap().set(name, toTensorInfo(tensor));
  for (const [name, tensor] of Object.entries(program.outputs)) {
    signature.getOutputsMap().set(name, toTensorInfo(tensor));
  }

  const information = new pb.MetaGraphDef.MetaInfoDef();
  information.setTagsList([SERVE_TAG]);
  const meta = new pb.MetaGraphDef();
  meta.setMetaInfoDef(information);
  meta.setGraphDef(graph);
  meta.getSignatureDefMap().set(SIGNATURE, signature);

  const model = new pb.SavedModel();
  model.setSavedModelSchemaVersion(1);
  model.setMetaGraphsList([meta]);
  return model.serializeBinary();
}

/** Writes the SavedModel into the existing folder `folder`. */
export function writeSavedModel(program: Program, folder: string): void {
  mkdirSync(join(folder, 'variables'), { recursive: true });
  writeFileSync(join(folder, 'saved_model.pb'), toSavedModel(program));
}
