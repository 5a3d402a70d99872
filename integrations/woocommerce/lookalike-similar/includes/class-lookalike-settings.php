<?php
/**
 * The plug-in's settings, and their page below "Settings".
 */

defined( 'ABSPATH' ) || exit;

class Lookalike_Settings {

	const OPTION = 'lookalike_similar';

	const MODES = array( 'widget', 'server' );

	const DEFAULTS = array(
		'api'             => '',
		'key'             => '',
		'heading'         => '',
		'limit'           => 8,
		'mode'            => 'widget',
		'replace_related' => false,
	);

	public function register() {
		add_action( 'admin_menu', array( $this, 'add_page' ) );
		add_action( 'admin_init', array( $this, 'register_setting' ) );
	}

	/**
	 * The settings as they are stored, completed by defaults.
	 *
	 * @return array
	 */
	public static function all() {
		$stored = get_option( self::OPTION, array() );
		return array_merge( self::DEFAULTS, is_array( $stored ) ? $stored : array() );
	}

	public function register_setting() {
		register_setting( self::OPTION, self::OPTION, array( 'sanitize_callback' => array( $this, 'sanitize' ) ) );
	}

	public function add_page() {
		$title = __( 'Lookalike', 'lookalike-similar' );
		add_options_page( $title, $title, 'manage_options', self::OPTION, array( $this, 'show_page' ) );
	}

	/**
	 * What of the form may be stored. What cannot be used stays as it was, and the page says why.
	 *
	 * @param mixed $given The fields of the form.
	 * @return array
	 */
	public function sanitize( $given ) {
		$given  = is_array( $given ) ? $given : array();
		$before = self::all();

		$api = untrailingslashit( esc_url_raw( trim( (string) ( $given['api'] ?? '' ) ), array( 'http', 'https' ) ) );
		if ( '' === $api && '' !== trim( (string) ( $given['api'] ?? '' ) ) ) {
			$this->complain( __( 'The address must begin with https:// or http://.', 'lookalike-similar' ) );
			$api = $before['api'];
		}

		$key = sanitize_text_field( $given['key'] ?? '' );
		if ( '' !== $key && 0 !== strpos( $key, 'pk_' ) ) {
			$this->complain( __( 'Use a publishable key (pk_…): visitors can read it in the page. A secret key must never be there.', 'lookalike-similar' ) );
			$key = $before['key'];
		}

		$mode = $given['mode'] ?? '';
		return array(
			'api'             => $api,
			'key'             => $key,
			'heading'         => sanitize_text_field( $given['heading'] ?? '' ),
			'limit'           => min( 100, max( 1, (int) ( $given['limit'] ?? self::DEFAULTS['limit'] ) ) ),
			'mode'            => in_array( $mode, self::MODES, true ) ? $mode : self::DEFAULTS['mode'],
			'replace_related' => ! empty( $given['replace_related'] ),
		);
	}

	public function show_page() {
		$values = self::all();
		$modes  = array(
			'widget' => __( 'By the widget, in the browser: clicks are counted', 'lookalike-similar' ),
			'server' => __( 'By this server, without JavaScript: kept for five minutes', 'lookalike-similar' ),
		);
		?>
		<div class="wrap">
			<h1><?php esc_html_e( 'Lookalike similar products', 'lookalike-similar' ); ?></h1>
			<form action="options.php" method="post">
				<?php settings_fields( self::OPTION ); ?>
				<table class="form-table" role="presentation">
					<?php
					$this->input( 'api', 'url', __( 'Address of the recommender', 'lookalike-similar' ), $values['api'] );
					$this->input( 'key', 'text', __( 'Publishable key', 'lookalike-similar' ), $values['key'] );
					$this->input( 'heading', 'text', __( 'Heading', 'lookalike-similar' ), $values['heading'] );
					$this->input( 'limit', 'number', __( 'Number of products', 'lookalike-similar' ), $values['limit'] );
					?>
					<tr>
						<th scope="row"><label for="lookalike-mode"><?php esc_html_e( 'How it is shown', 'lookalike-similar' ); ?></label></th>
						<td>
							<select id="lookalike-mode" name="<?php echo esc_attr( self::OPTION ); ?>[mode]">
								<?php foreach ( $modes as $mode => $label ) : ?>
									<option value="<?php echo esc_attr( $mode ); ?>"<?php echo $mode === $values['mode'] ? ' selected' : ''; ?>><?php echo esc_html( $label ); ?></option>
								<?php endforeach; ?>
							</select>
						</td>
					</tr>
					<tr>
						<th scope="row"><label for="lookalike-replace_related"><?php esc_html_e( 'Instead of related products', 'lookalike-similar' ); ?></label></th>
						<td><input type="checkbox" id="lookalike-replace_related" name="<?php echo esc_attr( self::OPTION ); ?>[replace_related]" value="1"<?php echo $values['replace_related'] ? ' checked' : ''; ?>></td>
					</tr>
				</table>
				<?php submit_button(); ?>
			</form>
		</div>
		<?php
	}

	private function input( $name, $type, $label, $value ) {
		printf(
			'<tr><th scope="row"><label for="lookalike-%1$s">%2$s</label></th><td><input id="lookalike-%1$s" type="%3$s" name="%4$s[%1$s]" value="%5$s" class="regular-text"></td></tr>',
			esc_attr( $name ),
			esc_html( $label ),
			esc_attr( $type ),
			esc_attr( self::OPTION ),
			esc_attr( $value )
		);
	}

	private function complain( $text ) {
		add_settings_error( self::OPTION, self::OPTION, $text );
	}
}
