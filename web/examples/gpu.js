// web/examples/gpu.js: gradient descent on the GPU whose kernel clips by itself, in no pass of its own; docs/ shows it, and
// tests/webgpu-steps.test.js runs it.
const SGD = `
  struct Result { flags: u32, norm: f32, coefficient: f32, step: u32 }
  @group(0) @binding(0) var<uniform> result: Result;
  @group(0) @binding(1) var<storage, read> gradient: array<f32>;
  @group(0) @binding(2) var<storage, read_write> weight: array<f32>;

  @compute @workgroup_size(64)
  fn sgd(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&weight) || (result.flags & 3u) != 0u) { return; } // NaN or Infinity: leave the step out
    weight[id.x] -= 0.1 * result.coefficient * gradient[id.x];
  }`;

/** @type {(device: GPUDevice, plan: import('gradnorm/webgpu').GpuPlan, gradient: GPUBuffer, weight: GPUBuffer) => Promise<number>} */
export function sgdStep(device, plan, gradient, weight) {
  const { result, norm } = plan.clipCoefficient(1); // decides, and leaves the gradient alone
  const module = device.createShaderModule({ code: SGD });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  const entries = [result, gradient, weight].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(weight.size / 4 / 64));
  pass.end();
  device.queue.submit([encoder.finish()]);
  return norm();
}
