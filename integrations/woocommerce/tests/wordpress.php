<?php
/**
 * The functions of WordPress that the plug-in calls, as far as its tests need them. Escaping is that of WordPress's documentation.
 */

define( 'ABSPATH', __DIR__ );
define( 'WP_UNINSTALL_PLUGIN', 'lookalike-similar' );

class World {
	public static $options    = array();
	public static $transients = array();
	public static $hooks      = array();
	public static $complaints = array();
	public static $scripts    = array();
	public static $styles     = array();
	public static $requests   = array();
	public static $answer     = array( 'code' => 200, 'body' => '' );
	public static $allowed    = array();
	public static $queries    = array();
	public static $is_product = true;

	public static function reset() {
		self::$options    = array();
		self::$transients = array();
		self::$complaints = array();
		self::$scripts    = array();
		self::$styles     = array();
		self::$requests   = array();
		self::$answer     = array( 'code' => 200, 'body' => '' );
		self::$is_product = true;
	}
}

class Product {
	private $id;
	private $sku;

	public function __construct( $id, $sku ) {
		$this->id  = $id;
		$this->sku = $sku;
	}

	public function get_id() {
		return $this->id;
	}

	public function get_sku() {
		return $this->sku;
	}
}

class Database {
	public $options = 'wp_options';

	public function esc_like( $text ) {
		return addcslashes( $text, '_%\\' );
	}

	public function prepare( $query, $value ) {
		return str_replace( '%s', "'" . addslashes( $value ) . "'", $query );
	}

	public function query( $query ) {
		World::$queries[] = $query;
	}
}

function add_action( $hook, $callback, $priority = 10 ) {
	World::$hooks[ $hook ][] = array( $callback, $priority );
}

function remove_action( $hook, $callback, $priority = 10 ) {
	World::$hooks[ $hook ] = array_filter(
		World::$hooks[ $hook ] ?? array(),
		function ( $each ) use ( $callback, $priority ) {
			return array( $callback, $priority ) !== $each;
		}
	);
}

function add_shortcode( $name, $callback ) {
	World::$hooks[ "[$name]" ][] = array( $callback, 10 );
}

function shortcode_atts( $defaults, $given ) {
	return array_merge( $defaults, is_array( $given ) ? $given : array() );
}

function get_option( $name, $default = false ) {
	return World::$options[ $name ] ?? $default;
}

function delete_option( $name ) {
	unset( World::$options[ $name ] );
}

function get_transient( $name ) {
	return World::$transients[ $name ][0] ?? false;
}

function set_transient( $name, $value, $seconds ) {
	World::$transients[ $name ] = array( $value, $seconds );
}

function add_settings_error( $setting, $code, $text ) {
	World::$complaints[] = $text;
}

function wp_enqueue_script_module( $name, $url ) {
	World::$scripts[] = $url;
	World::$scripts   = array_unique( World::$scripts );
}

function wp_enqueue_style( $name, $url ) {
	World::$styles[] = $url;
	World::$styles   = array_unique( World::$styles );
}

function wp_remote_get( $url, $options ) {
	World::$requests[] = array( $url, $options['headers'] );
	return World::$answer;
}

function wp_remote_retrieve_response_code( $answer ) {
	return $answer['code'];
}

function wp_remote_retrieve_body( $answer ) {
	return $answer['body'];
}

function is_wp_error( $answer ) {
	return null === $answer;
}

function wp_kses( $html, $allowed ) {
	World::$allowed = $allowed;
	return strip_tags( $html, array_keys( $allowed ) );
}

function esc_html( $text ) {
	return htmlspecialchars( (string) $text, ENT_QUOTES, 'UTF-8' );
}

function esc_attr( $text ) {
	return esc_html( $text );
}

function esc_url_raw( $url, $schemes ) {
	return in_array( parse_url( $url, PHP_URL_SCHEME ), $schemes, true ) ? $url : '';
}

function sanitize_text_field( $text ) {
	return trim( strip_tags( (string) $text ) );
}

function untrailingslashit( $text ) {
	return rtrim( $text, '/' );
}

function __( $text ) {
	return $text;
}

function esc_html_e( $text ) {
	echo esc_html( $text );
}

function is_product() {
	return World::$is_product;
}

function get_locale() {
	return 'de_AT';
}

function home_url( $path ) {
	return 'https://shop.example' . $path;
}

function settings_fields( $group ) {
	echo '<input type="hidden" name="option_page" value="' . esc_attr( $group ) . '">';
}

function submit_button() {
	echo '<button>Save</button>';
}

function register_setting( $group, $name, $options ) {
	World::$hooks['sanitize'][] = array( $options['sanitize_callback'], 10 );
}

function add_options_page( $title, $menu, $capability, $slug, $callback ) {
	World::$hooks["page needs $capability"][] = array( $callback, 10 );
}
