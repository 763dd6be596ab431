import { render } from 'preact';
import './shared/theme';
import './styles/base.css';
import './styles/explore.css';
import './styles/views.css';
import { App } from './app';

render(<App />, document.getElementById('app')!);
