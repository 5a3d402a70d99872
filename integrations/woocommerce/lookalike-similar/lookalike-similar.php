<?php
/**
 * Plugin Name: Lookalike similar products
 * Description: Shows products that look alike on product pages, found by a Lookalike recommender.
 * Version: 0.1.0
 * Requires at least: 6.5
 * Requires PHP: 7.4
 * Requires Plugins: woocommerce
 * License: Apache-2.0
 * Text Domain: lookalike-similar
 */

defined( 'ABSPATH' ) || exit;

require_once __DIR__ . '/includes/class-lookalike-settings.php';
require_once __DIR__ . '/includes/class-lookalike-strip.php';

( new Lookalike_Settings() )->register();
( new Lookalike_Strip() )->register();
