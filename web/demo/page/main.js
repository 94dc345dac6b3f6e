// web/demo/page/main.js: the entry of the demo page. Starts the workers and gives each section its own.
import { MeasureSection } from './measure-section.js';
import { SickSection } from './sick-section.js';
import { TrainSection } from './train-section.js';

const worker = new Worker(new URL('./training-worker.js', import.meta.url), { type: 'module' });
const train = new TrainSection(worker);
train.begin();
new SickSection(worker);
new MeasureSection(train);
performance.mark('interactive');
