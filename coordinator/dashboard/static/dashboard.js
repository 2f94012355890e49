// Begins everything that moves on a page. Each module works by attributes of the page, and without it the page
// still shows what it showed and sends its forms.

import { keepAges } from "./ages.js";
import { listenForForms } from "./forms.js";
import { listenForKeys } from "./keys.js";
import { keepLive } from "./live.js";
import { followOutput } from "./output.js";
import { drawSparklines } from "./sparklines.js";

keepAges();
listenForForms();
listenForKeys();
keepLive();
followOutput();
drawSparklines();
